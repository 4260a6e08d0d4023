#!/usr/bin/env python3
"""Times `neuroglot bench` against an implementation in PyTorch on the same machine, in turn.

    python3 benches/compare.py PEER.py [--neuroglot PATH] [--rounds 5] [--threads 2] [--sizes paper,small] [--model ndt1]

PEER.py is called as `PEER.py bench --model ndt1 --hidden … --threads …` and prints {"step_ms", "forward_ms",
"forward_one_trial_ms"}. Each round runs the two one after the other; the ratio is taken round by round, and its median
printed, so that a drift of the machine's speed falls out.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

SIZES = {
    "paper": ["--hidden", "512", "--layers", "5", "--heads", "8", "--channels", "668"],
    "small": ["--hidden", "128", "--layers", "4", "--heads", "4", "--channels", "256"],
}
# The peer's names of models, and ours.
MODELS = {"ndt1": "ndt1-stitch", "ndt2": "ndt2"}
TIMES = [("step_ms", "training step"), ("forward_ms", "forward pass"), ("one_trial_ms", "one trial")]


def run(command):
    """The JSON that a command prints, and the peak memory of the command in MB."""
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return json.loads(output), usage.ru_maxrss * 1024 / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("--neuroglot", default="neuroglot")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--model", choices=MODELS, default="ndt1")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--repetitions", default=None, help="timed steps a round of neuroglot's; its own default")
    options = parser.parse_args()

    print("| size | dropout | what | neuroglot, ms | peer, ms | peer / neuroglot, median [min, max] |")
    print("|---|---|---|---:|---:|---:|")
    for size in options.sizes.split(","):
        sizes = SIZES[size]
        for dropout in [True, False]:
            ours, theirs = [], []
            for _ in range(options.rounds):
                mine = [options.neuroglot, "bench", "--model", MODELS[options.model], "--size", size, "--json",
                        "--threads", options.threads]
                if options.repetitions:
                    mine += ["--repetitions", options.repetitions]
                ours.append(run(mine + ([] if dropout else ["--no-dropout"])))
                peer = [options.python, options.peer, "bench", "--model", options.model, *sizes,
                        "--threads", options.threads]
                theirs.append(run(peer + ([] if dropout else ["--drop", "0"])))
            for key, name in TIMES if dropout else TIMES[:1]:
                a = [found[key]["median"] for found, _ in ours]
                b = [found["forward_one_trial_ms" if key == "one_trial_ms" else key] for found, _ in theirs]
                row(size, dropout, name, a, b)
            row(size, dropout, "peak memory, MB", [peak for _, peak in ours], [peak for _, peak in theirs])


def row(size, dropout, name, ours, theirs):
    ratios = sorted(b / a for a, b in zip(ours, theirs))
    cells = [size, "yes" if dropout else "no", name, f"{statistics.median(ours):.1f}",
             f"{statistics.median(theirs):.1f}",
             f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]"]
    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Trains MtM, its temporal baseline and MtM with the reference's start on one session and prints the tables of
docs/real-recordings.md.

    python3 scripts/real_recording.py SESSION OUT [--neuroglot PATH] [--config examples/small.toml]

SESSION is an `<eid>_aligned` folder; OUT receives the runs (`mtm`, `temporal`, `mtm-zero`) and is resumed where it was
stopped. Needs nothing but Python 3.9 and the `neuroglot` binary.
"""
import argparse
import json
import pathlib
import subprocess

RUNS = {
    "MtM": ("mtm", ["--mask", "mtm"]),
    "temporal": ("temporal", ["--mask", "temporal"]),
    "MtM, rates from 1 spike/bin": ("mtm-zero", ["--mask", "mtm", "--set", "init.output_bias=zero"]),
}
SETTINGS = ["--set", "model.dropout=0.2", "--set", "train.learning_rate=5e-4"]
TASKS = ["co-smoothing", "forward", "intra-region", "inter-region"]
BEHAVIOURS = [("choice", "accuracy"), ("wheel-speed", "r2"), ("whisker-motion-energy", "r2")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("session", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--neuroglot", default="neuroglot")
    parser.add_argument("--config", default="examples/small.toml")
    parser.add_argument("--epochs", default="300")
    parser.add_argument("--checkpoint", default="last", help="last (default, as the compared runs had it) or best")
    options = parser.parse_args()

    scores, seconds = {}, {}
    for name, (folder, settings) in RUNS.items():
        run = options.out / folder
        train = [options.neuroglot, "train", options.session, "--out", run, "--config", options.config, "--epochs", options.epochs,
                 *SETTINGS, *settings]
        if (run / "config.toml").exists():
            train.append("--resume")
        subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
        evaluate = [options.neuroglot, "evaluate", run, "--checkpoint", options.checkpoint]
        subprocess.run(evaluate, check=True, stdout=subprocess.DEVNULL)
        summary = json.loads((run / "evaluation" / "summary.json").read_text())
        (scores[name],) = summary.values()
        seconds[name] = json.loads((run / "run.json").read_text())["seconds"]

    names = list(RUNS)
    print_row(["bits/spike, mean over units [95 %]", *names])
    print_row(["---"] + ["---:"] * len(names))
    for task in TASKS:
        print_row([task] + [interval(scores[name][task]) for name in names])
    print()
    print_row(["other scores", *names])
    print_row(["---"] + ["---:"] * len(names))
    for task in TASKS:
        for key, words in [("bps_pooled", "pooled bits/spike"), ("d2", "Poisson D²"), ("r2", "single-trial R²")]:
            print_row([f"{task}, {words}"] + [number(scores[name][task][key]) for name in names])
    for behaviour, metric in BEHAVIOURS:
        if all(behaviour in scores[name] for name in names):
            words = "accuracy" if metric == "accuracy" else "R²"
            print_row([f"{behaviour}, {words}"] + [number(scores[name][behaviour][metric]) for name in names])
    print_row(["training, wall time"] + [f"{seconds[name]:.0f} s" for name in names])


def interval(score):
    return f"{number(score['bps'])} [{number(score['bps_low'])}, {number(score['bps_high'])}]"


def number(value):
    return "n/a" if value is None else f"{value:.3f}".replace("-", "−")


def print_row(cells):
    print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()

"""Times `neuroglot prepare` against the same steps in Python (alf_reference.py) on a session of alf_session.py: whole
processes, interleaved, and compares every count.

    python benches/prepare_alf.py SESSION NEUROGLOT [--rounds 5]

Needs what alf_reference.py needs.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as parquet

HERE = Path(__file__).parent


def measured(command):
    """Wall time, s, and peak memory, MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - start, usage.ru_maxrss / 1024, output


def counts(folder):
    """The counts of all trials, each as its three lists, in a sorted list: both draw their own split."""
    trials = []
    for split in ["train", "val", "test"]:
        table = parquet.read_table(next((folder / "data").glob(f"{split}-*.parquet")))
        columns = [table[f"spikes_sparse_{part}"].to_pylist() for part in ["indptr", "indices", "data"]]
        trials.extend(tuple(map(tuple, parts)) for parts in zip(*columns))
    return sorted(trials)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("session", type=Path, help="the folder alf")
    parser.add_argument("neuroglot")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ratios, inner_ratios = [], []
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
        for _ in range(options.rounds):
            shutil.rmtree(ours, ignore_errors=True)
            shutil.rmtree(theirs, ignore_errors=True)
            python, python_memory, output = measured(
                [sys.executable, HERE / "alf_reference.py", options.session, theirs])
            rust, rust_memory, _ = measured(
                [options.neuroglot, "prepare", options.session, "--out", ours, "--quiet"])
            # What Python says of itself leaves out its start and its imports.
            inner = sum(float(word) for word in output.split() if word.replace(".", "").isdigit())
            ratios.append(python / rust)
            inner_ratios.append(inner / rust)
            print(f"Python {python:.2f} s (steps alone {inner:.2f} s, {python_memory:.0f} MB), "
                  f"neuroglot {rust:.2f} s ({rust_memory:.0f} MB), ratio {ratios[-1]:.1f} ({inner_ratios[-1]:.1f})")
        session = next(ours.glob("*_aligned"))
        left, right = counts(session), counts(theirs)
        assert left == right, "counts differ"
        print(f"{len(left)} trials with {sum(sum(data) for _, _, data in left)} spikes, all counts equal")
    for name, values in [("whole processes", ratios), ("Python's steps alone", inner_ratios)]:
        print(f"{name}: {statistics.median(values):.1f} [{min(values):.1f}, {max(values):.1f}] times as fast")


main()

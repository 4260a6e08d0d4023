#!/usr/bin/env python3
"""Times held-out-unit evaluation (co-smoothing) against an implementation in PyTorch, in turn, and compares the scores.

    python3 benches/compare_evaluation.py PEER.py RUN SESSION [--neuroglot PATH] [--rounds 5] [--threads 2]

RUN is a folder that `neuroglot train` wrote for SESSION alone. PEER.py is imported: it has `load(folder)`,
`Ndt1(units, bins, sessions, …)`, whose weights have the published names, and `bps(log_rates, counts)`. The peer hides
each unit in turn and runs all test trials as one batch. Of neuroglot the whole command is timed, reading included; of the
peer the evaluation alone.
"""
import argparse
import importlib.util
import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file


def load_peer(path):
    spec = importlib.util.spec_from_file_location("peer", path)
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    return peer


def peer_model(peer, run, units, bins):
    """The peer's model with the run's weights, whose stitchers are named by session instead of by an index."""
    checkpoint = Path(run) / "best"
    settings = json.loads((checkpoint / "config.json").read_text())
    config = settings["model"]
    model = peer.Ndt1({0: units}, bins, 1, channels=config["channels"], hidden=config["hidden"],
                      layers=config["layers"], heads=config["heads"], inter=config["mlp"] or 2 * config["hidden"])
    eid = settings["sessions"][0]["eid"]
    weights = {name.replace(f".{eid}.", ".0."): value
               for name, value in load_file(checkpoint / "model.safetensors").items()}
    model.load_state_dict(weights)
    return model.eval()


def co_smoothing(model, counts):
    predicted = np.zeros_like(counts)
    with torch.no_grad():
        for unit in range(counts.shape[-1]):
            hidden = counts.copy()
            hidden[..., unit] = 0
            log_rates = model(torch.from_numpy(hidden), key=0, session=0, prompt="neuron", causal=False)
            predicted[..., unit] = log_rates.numpy()[..., unit]
    return predicted


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer")
    parser.add_argument("run")
    parser.add_argument("session")
    parser.add_argument("--neuroglot", default="neuroglot")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    peer = load_peer(options.peer)
    session = peer.load(options.session)
    units = json.loads((Path(options.run) / "best" / "config.json").read_text())["sessions"][0]["units"]
    kept = [unit["uuid"] if isinstance(unit, dict) else unit for unit in units]
    counts = session["test"]["x"]
    if len(kept) != counts.shape[-1]:
        import tomllib
        rate = tomllib.loads((Path(options.run) / "config.toml").read_text())["data"]["min_rate"]
        counts = counts[..., session["train"]["x"].mean((0, 1)) / 0.02 >= rate]
    counts = np.ascontiguousarray(counts)
    assert len(kept) == counts.shape[-1], "the run was trained on other units"
    model = peer_model(peer, options.run, len(kept), counts.shape[1])

    ours, theirs = [], []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            command = [options.neuroglot, "evaluate", options.run, options.session, "--tasks", "co-smoothing",
                       "--threads", str(options.threads), "--out", folder, "--json"]
            start = time.perf_counter()
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            ours.append(time.perf_counter() - start)
        score = next(iter(json.loads(output).values()))["co-smoothing"]["bps"]
        start = time.perf_counter()
        predicted = co_smoothing(model, counts)
        theirs.append(time.perf_counter() - start)
        peer_score = float(np.nanmean(peer.bps(predicted, counts)[0]))
    ratios = sorted(b / a for a, b in zip(ours, theirs))
    print(f"{len(kept)} units, {len(counts)} trials of {counts.shape[1]} bins")
    print(f"neuroglot {statistics.median(ours):.2f} s, peer {statistics.median(theirs):.2f} s, "
          f"ratio {statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]")
    print(f"bits/spike: neuroglot {score:.6f}, peer {peer_score:.6f}, difference {abs(score - peer_score):.1e}")


if __name__ == "__main__":
    main()

"""The steps from an IBL ALF session folder to an aligned session, in Python, with what people use: NumPy, SciPy, pandas,
iblutil and datasets. Written from the conventions of the IBL (ONE, brainbox), as a peer for `neuroglot prepare`.

Needs numpy, scipy, pandas, pyarrow, iblutil==1.20.0 and datasets==5.2.0.
"""

import hashlib
import re
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.signal
import scipy.sparse
from iblutil.numerical import bincount2D

BIN, WINDOW = 0.02, (-0.5, 1.5)
BINS = 100


def find(folder, name):
    """The newest revision of a data set: `name` is object.attribute, a uuid may follow."""
    pattern = re.compile(rf"(_[a-z]+_)?{re.escape(name)}(\.[0-9a-f-]{{36}})?\.(npy|pqt|csv)$")
    found = [(p.parent.name if p.parent != folder else "", p)
             for p in [*folder.iterdir(), *folder.glob("#*#/*")] if p.is_file() and pattern.match(p.name)]
    return max(found)[1] if found else None


READ = []


def load(folder, name):
    file = find(folder, name)
    if file is None:
        return None
    READ.append(file)
    if file.suffix == ".npy":
        return np.load(file)
    return pd.read_parquet(file) if file.suffix == ".pqt" else pd.read_csv(file)


def sorting_folder(probe):
    for name in ["iblsorter", "pykilosort"]:
        if (probe / name).is_dir():
            return probe / name
    return probe


def good(sorting, clusters):
    metrics = load(sorting, "clusters.metrics").set_index("cluster_id").label
    return (metrics.reindex(range(clusters)) >= 1).to_numpy()


def keep(trials):
    """The paper's choice of trials."""
    reaction = trials.firstMovement_times - trials.stimOn_times
    length = trials.feedback_times - trials.goCue_times
    needed = ["stimOn_times", "choice", "feedback_times", "probabilityLeft", "firstMovement_times", "feedbackType"]
    return (trials[needed].notna().all(axis=1) & (trials.choice != 0)
            & (reaction >= 0.08) & (reaction <= 2) & (length <= 10)).to_numpy()


def wheel_velocity(times, position):
    """brainbox.behavior.wheel: interpolate_position at 1 kHz, velocity_filtered."""
    grid = np.arange(times[0], times[-1], 1 / 1000)
    if grid[-1] > times[-1]:
        grid = grid[:-1]
    sos = scipy.signal.butter(8, 20 / 1000 * 2, "lowpass", output="sos")
    smooth = scipy.signal.sosfiltfilt(sos, np.interp(grid, times, position))
    return grid, np.insert(np.diff(smooth), 0, 0) * 1000


def prepare(alf):
    """Counts [trial, bin, unit] as CSR matrices, behaviours by name, and the units' tables."""
    trials = load(alf, "trials.table")
    kept = np.flatnonzero(keep(trials))
    starts = trials.stimOn_times.to_numpy()[kept] + WINDOW[0]

    times, clusters, units, first = [], [], [], 0
    for probe in sorted(alf.glob("probe*")):
        sorting = sorting_folder(probe)
        channels = load(sorting, "clusters.channels")
        times.append(load(sorting, "spikes.times"))
        clusters.append(load(sorting, "spikes.clusters").astype(np.int64) + first)
        units.append(pd.DataFrame({
            "channel": channels, "depth": load(sorting, "clusters.depths"),
            "uuid": load(sorting, "clusters.uuids").iloc[:, -1].to_numpy(),
            "good": good(sorting, len(channels)),
            "id": load(sorting, "channels.brainLocationIds_ccf_2017")[channels]}))
        first += len(channels)
    units = pd.concat(units, ignore_index=True)
    times, clusters = np.concatenate(times), np.concatenate(clusters)
    order = np.argsort(times, kind="stable")
    times, clusters = times[order], clusters[order]

    counts = []
    for start in starts:
        begin, end = np.searchsorted(times, [start, start + BINS * BIN + BIN])
        if begin == end:
            counts.append(scipy.sparse.csr_array((BINS, len(units)), dtype=np.int64))
            continue
        binned, _, _ = bincount2D(times[begin:end], clusters[begin:end], xbin=BIN, ybin=1,
                                  xlim=[start, start + (BINS + 2) * BIN], ylim=[0, len(units) - 1])
        counts.append(scipy.sparse.csr_array(binned[:, :BINS].T.astype(np.int64)))

    behaviours = {
        "choice": trials.choice.to_numpy()[kept, None],
        "reward": (trials.rewardVolume.to_numpy()[kept, None] > 1).astype(float),
        "block": trials.probabilityLeft.to_numpy()[kept, None],
    }
    edges = starts[:, None] + BIN * np.arange(1, BINS + 1)
    grid, velocity = wheel_velocity(load(alf, "wheel.timestamps"), load(alf, "wheel.position"))
    behaviours["wheel-speed"] = np.interp(edges, grid, np.abs(velocity), left=np.nan, right=np.nan)
    behaviours["wheel-velocity"] = np.interp(edges, grid, velocity, left=np.nan, right=np.nan)
    for side in ["Left", "Right"]:
        contrast = trials[f"contrast{side}"].fillna(0).to_numpy()[kept, None]
        behaviours[f"contrast-{side.lower()}"] = contrast
    licks = np.sort(load(alf, "licks.times"))
    binned = np.zeros((len(starts), BINS))
    for trial, start in enumerate(starts):
        begin, end = np.searchsorted(licks, [start, start + BINS * BIN])
        bins = np.floor((licks[begin:end] - start) / BIN).astype(int)
        binned[trial] = np.bincount(bins[bins < BINS], minlength=BINS)
    behaviours["licks"] = binned
    energy, frames = load(alf, "leftCamera.ROIMotionEnergy"), load(alf, "leftCamera.times")
    behaviours["whisker-motion-energy"] = np.interp(
        edges, frames[-len(energy):], energy, left=np.nan, right=np.nan)
    return kept, counts, behaviours, units


def write(out, kept, counts, behaviours, units):
    """The published schema, by the library that its users have."""
    from datasets import Dataset

    order = np.random.default_rng(42).permutation(len(kept))
    cuts = np.split(order, [int(len(kept) * 0.7), int(len(kept) * 0.8)])
    (out / "data").mkdir(parents=True, exist_ok=True)
    for name, trials in zip(["train", "val", "test"], cuts):
        columns = {
            "spikes_sparse_data": [counts[t].data.tolist() for t in trials],
            "spikes_sparse_indices": [counts[t].indices.tolist() for t in trials],
            "spikes_sparse_indptr": [counts[t].indptr.tolist() for t in trials],
            "spikes_sparse_shape": [list(counts[t].shape) for t in trials],
            "binsize": [BIN] * len(trials),
            "eid": ["session"] * len(trials),
            "cluster_regions": [units.id.astype(str).tolist()] * len(trials),
            "cluster_channels": [units.channel.tolist()] * len(trials),
            "cluster_depths": [units.depth.tolist()] * len(trials),
            "good_clusters": [units.good.astype(int).tolist()] * len(trials),
            "cluster_uuids": [units.uuid.tolist()] * len(trials),
        }
        columns |= {name: [values[t].tolist() for t in trials] for name, values in behaviours.items()}
        Dataset.from_dict(columns).to_parquet(str(out / "data" / f"{name}-00000-of-00001.parquet"))


def digests():
    """SHA-256 of every file that was read, for provenance."""
    found = {}
    for file in READ:
        with open(file, "rb") as handle:
            found[str(file)] = hashlib.file_digest(handle, "sha256").hexdigest()
    return found


if __name__ == "__main__":
    start = time.perf_counter()
    prepared = prepare(Path(sys.argv[1]))
    binned = time.perf_counter()
    write(Path(sys.argv[2]), *prepared)
    written = time.perf_counter()
    digests()
    print(f"read and bin {binned - start:.2f} s, write {written - binned:.2f} s, "
          f"hash {time.perf_counter() - written:.2f} s")

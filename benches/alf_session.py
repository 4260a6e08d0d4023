"""Makes a synthetic IBL ALF session: random spikes, trials, wheel and camera of any size, in the layouts that occur.

    python benches/alf_session.py OUT                            # 2 probes, 1,200 clusters, 25 million spikes, 900 trials
    python benches/alf_session.py OUT --clusters 9 --spikes 2400 --trials 14 --frames 60

Needs numpy, pandas and pyarrow.
"""

import argparse
import uuid
from pathlib import Path

import numpy as np
import pandas as pd

# CA1, DG, PO, LP, VISp layer 5, root, and CA1 of the left hemisphere.
REGIONS = [382, 726, 1020, 218, 778, 997, -382]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--clusters", type=int, default=600, help="of each probe")
    parser.add_argument("--spikes", type=int, default=12_500_000, help="of each probe")
    parser.add_argument("--trials", type=int, default=900)
    parser.add_argument("--frames", type=int, default=0, help="of the camera; 0 is 60 a second")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    draw = np.random.default_rng(options.seed)
    alf = options.out / "lab/Subjects/NG_001/2024-03-01/001/alf"
    trials = options.trials
    starts = 5 + np.cumsum(draw.uniform(3.5, 5.5, trials))
    seconds = starts[-1] + 10

    def identifier():
        return uuid.UUID(bytes=draw.bytes(16), version=4)

    # Probe 0 as a current sorting, probe 1 as a revision with uuids in its names and 16-bit clusters.
    for probe, (folder, kind) in enumerate([("probe00/iblsorter", np.int32),
                                            ("probe01/pykilosort/#2024-05-06#", np.uint16)]):
        place = alf / folder
        place.mkdir(parents=True)
        rates = draw.gamma(0.6, 1, options.clusters)
        times = np.sort(draw.uniform(0, seconds, options.spikes))
        clusters = draw.choice(options.clusters, options.spikes, p=rates / rates.sum())
        channels = np.sort(draw.integers(0, 384, options.clusters))
        def file(name, extension):
            # One identifier for each data set, as files have that were downloaded from the archive's file servers.
            return place / (f"{name}.{identifier()}.{extension}" if probe else f"{name}.{extension}")

        def save(name, values):
            np.save(file(name, "npy"), values)

        save("spikes.times", times)
        save("spikes.clusters", clusters.astype(kind))
        save("clusters.channels", channels.astype(np.uint16 if probe else np.int64))
        save("clusters.depths", (channels * 10.0).astype(np.float32))
        save("channels.brainLocationIds_ccf_2017",
             np.array(REGIONS, dtype=np.int32)[np.arange(384) * len(REGIONS) // 384])
        pd.DataFrame({"uuids": [str(identifier()) for _ in range(options.clusters)]}).to_csv(
            file("clusters.uuids", "csv"), index=False)
        pd.DataFrame({"cluster_id": np.arange(options.clusters),
                      "label": draw.choice([0, 1 / 3, 2 / 3, 1], options.clusters)}).to_parquet(
            file("clusters.metrics", "pqt"))
    # An older revision, which must not be taken.
    np.save(alf / "probe01/pykilosort/spikes.times.npy", np.zeros(3))

    reaction = draw.lognormal(-1.2, 0.6, trials)
    reaction[draw.random(trials) < 0.1] = 0.05
    choice = draw.choice([-1.0, 1.0], trials)
    choice[draw.random(trials) < 0.05] = 0
    right = draw.random(trials) < 0.5
    contrast = draw.choice([0, 0.0625, 0.125, 0.25, 1.0], trials)
    feedback = starts + reaction + draw.uniform(0.1, 0.5, trials)
    feedback[draw.random(trials) < 0.05] += 20
    correct = draw.random(trials) < 0.8
    first = starts + reaction
    first[draw.random(trials) < 0.05] = np.nan
    pd.DataFrame({
        "stimOn_times": starts, "goCue_times": starts + 0.01, "response_times": feedback - 0.01,
        "feedback_times": feedback, "firstMovement_times": first, "choice": choice,
        "feedbackType": np.where(correct, 1.0, -1.0), "rewardVolume": np.where(correct, 1.5, 0.0),
        "contrastLeft": np.where(right, np.nan, contrast), "contrastRight": np.where(right, contrast, np.nan),
        "probabilityLeft": np.repeat([0.5, 0.2, 0.8], -(-trials // 3))[:trials],
        "intervals_0": starts - 0.5, "intervals_1": feedback + 1,
    }).to_parquet(alf / "_ibl_trials.table.pqt")

    moments = np.sort(draw.uniform(0, seconds, max(int(seconds * 20), 100)))
    np.save(alf / "_ibl_wheel.timestamps.npy", moments)
    np.save(alf / "_ibl_wheel.position.npy", np.cumsum(draw.normal(0, 0.05, len(moments))))
    frames = options.frames or int(seconds * 60)
    np.save(alf / "_ibl_leftCamera.times.npy", np.linspace(0, seconds, frames + 2))
    # Two frames fewer than times, as in early recordings.
    np.save(alf / "leftCamera.ROIMotionEnergy.npy", draw.gamma(2, 3, frames))
    np.save(alf / "licks.times.npy", np.sort(draw.uniform(0, seconds, int(seconds))))
    print(alf)


main()

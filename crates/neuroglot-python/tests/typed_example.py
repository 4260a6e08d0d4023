"""Every call that users write, with the types that they may count on."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

import neuroglot
from neuroglot import Decoding, Evaluation, MtM, Session, SessionArray


def sessions(folder: Path) -> list[Session]:
    counts: npt.NDArray[np.int64] = np.ones((4, 3, 2), dtype=np.int64)
    made = [
        Session.read(folder),
        Session.from_numpy(counts, regions=["CA1", "PO"], eid="a", seed=1),
        Session.from_spikes([[0.1], [0.2]], align=[0.0], window=(0.0, 1.0), bin=0.1),
        Session.simulate(units=4),
        Session.from_nwb(folder / "a.nwb", window=(0.0, 1.0)),
        *neuroglot.simulate(sessions=2),
    ]
    made[0].write(folder, overwrite=True)
    dense: npt.NDArray[np.float32] = made[0].counts
    assert dense.ndim == 3
    part: Session = made[1].filter(min_rate=1.0).select_units([0])[:2]
    eid: str = part.eid
    print(eid, part.shape[0], part.units["region"], part.regions)
    return made


def models(made: list[Session], out: Path) -> None:
    model = MtM("paper", out=out, seed=3, train__epochs=5).fit(made)
    rates: SessionArray = model.predict(made[0], hide_units=["a", 3], hide_bins=["3-4"], log=True)
    values: npt.NDArray[np.float32] = rates.values
    print(np.asarray(rates).mean(), values.shape)
    latents: SessionArray = model.transform(made[0])
    evaluation: Evaluation = model.evaluate(made, ["forward"])
    evaluation.write(out / "evaluation")
    decoding: Decoding = model.decode(made[0], "choice")
    score: float = model.score(made, task="forward")
    tuned: MtM = model.finetune(made[1], freeze="trunk", train__epochs=1)
    tuned.save(out / "tuned")
    again: MtM = MtM.load(out / "tuned", device="cpu")
    print(latents.as_xarray(), decoding.predictions, score, again.translate(made[0]), again.unit_embeddings())
    per_unit: npt.NDArray[np.float64] = neuroglot.metrics.bits_per_spike(values, made[0].counts)
    baseline: Evaluation = neuroglot.baselines.evaluate("psth", made)
    print(per_unit, baseline.scores)

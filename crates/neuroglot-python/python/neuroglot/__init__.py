"""A universal translator for neural dynamics at single-cell, single-spike resolution.

One self-supervised model learns from spike-sorted recordings of many animals and brain regions by having units, regions and
moments hidden from it, and then predicts neurons from neurons, regions from regions, the future from the past, and behaviour.

>>> import neuroglot
>>> session = neuroglot.Session.simulate(units=12, trials=40, bins=20)
>>> model = neuroglot.MtM(train__epochs=2, model__hidden=16, model__layers=1, model__heads=2)
>>> rates = model.fit(session).predict(session, hide_regions=["CA1"])
>>> rates.shape
(40, 20, 12)
"""

from neuroglot import baselines, errors, metrics
from neuroglot._neuroglot import __version__
from neuroglot.arrays import SessionArray
from neuroglot.errors import NeuroglotError, NeuroglotWarning
from neuroglot.evaluation import Decoding, Evaluation
from neuroglot.model import MtM
from neuroglot.session import Session, simulate

__all__ = [
    "Decoding",
    "Evaluation",
    "MtM",
    "NeuroglotError",
    "NeuroglotWarning",
    "Session",
    "SessionArray",
    "__version__",
    "baselines",
    "errors",
    "metrics",
    "simulate",
]

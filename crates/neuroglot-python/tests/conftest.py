"""What tests share: a small session and a small model of it."""

from __future__ import annotations

import pytest

import neuroglot

#: Settings of models that train in a moment.
SMALL = {
    "train__epochs": 2,
    "model__hidden": 16,
    "model__layers": 1,
    "model__heads": 2,
    "model__ndt1_stitch__channels": 8,
}


@pytest.fixture(scope="session")
def session() -> neuroglot.Session:
    return neuroglot.Session.simulate(units=16, trials=60, bins=20, seed=5)


@pytest.fixture(scope="session")
def model(session: neuroglot.Session) -> neuroglot.MtM:
    return neuroglot.MtM(progress="none", **SMALL).fit(session)

"""The network in PyTorch gives the log-rates that the package gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL

import neuroglot
from neuroglot import MtM, Session

torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    "settings",
    [
        {"recipe": "paper", "model__heads": 4, "model__layers": 2},
        {"recipe": "neuroglot", "coupling__weight": 0, "model__heads": 2, "model__layers": 3},
        {"recipe": "paper", "model__norm": "scale", "model__rope": True},
    ],
    ids=["published", "standardised with rotary positions", "scale norm"],
)
def test_log_rates_are_equal(session: Session, tmp_path: Path, settings: dict[str, Any]) -> None:
    from neuroglot import torch as networks

    other = neuroglot.simulate(sessions=2, units=12, trials=30, bins=20, seed=9)[1]
    model = MtM(progress="none", **{**SMALL, "train__epochs": 10, **settings}).fit([other, session])
    model.save(tmp_path / "run")
    network = networks.load(tmp_path / "run")
    counts = torch.from_numpy(session.counts.copy())
    with torch.no_grad():
        for asked in (
            {"prompt": "neuron", "hide_units": [2, 5]},
            {"prompt": "causal", "hide_bins": ["15-19"]},
            {"prompt": "inter-region", "hide_regions": ["CA1"]},
            {"prompt": "intra-region"},
        ):
            expected = model.predict(session, log=True, **asked)
            found = network(counts, session.eid, asked["prompt"], torch.from_numpy(expected.hidden.copy()))
            np.testing.assert_allclose(found.numpy(), expected.values, atol=1e-5, err_msg=str(asked))
        latents = network.latents(counts, 1).numpy()
    np.testing.assert_allclose(latents, model.transform(session).values, atol=1e-5)
    # Published names, which are those of the file.
    names = set(network.state_dict())
    assert {"encoder.layers.0.attn.query.weight", "encoder.embedder.embed_pos.weight"} <= names
    assert f"stitch_decoder.stitch_decoder_dict.{session.eid}.weight" in names


def test_networks_are_trained_on_in_pytorch(model: MtM, session: Session) -> None:
    from neuroglot import torch as networks

    network = networks.load(model.run_folder).train()
    counts = torch.from_numpy(session.counts.copy())
    log_rates = network(counts, 0)
    loss = (log_rates.exp() - counts * log_rates).mean()
    loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_what_there_is_not_is_named(model: MtM, session: Session, tmp_path: Path) -> None:
    from neuroglot import torch as networks

    network = networks.load(model.run_folder)
    counts = torch.from_numpy(session.counts.copy())
    with pytest.raises(neuroglot.errors.SettingError, match="prompt temporal: the model knows neuron"):
        network(counts, 0, "temporal")
    with pytest.raises(neuroglot.errors.SettingError, match="is not one that the model knows"):
        network(counts, "nobody")
    with pytest.raises(neuroglot.errors.NotFoundError, match="no run here"):
        networks.load(tmp_path)

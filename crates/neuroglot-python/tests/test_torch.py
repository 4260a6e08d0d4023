"""The network in PyTorch gives the log-rates that the package gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import SMALL

import neuroglot
from neuroglot import MtM, Session

torch = pytest.importorskip("torch")


#: How the network is told of what is hidden, and what is hidden.
ASKED: list[dict[str, Any]] = [
    {"prompt": "neuron", "hide_units": [2, 5]},
    {"prompt": "causal", "hide_bins": ["15-19"]},
    {"prompt": "inter-region", "hide_regions": ["CA1"]},
    {"prompt": "intra-region"},
]


@pytest.fixture(scope="module")
def sessions(session: Session) -> list[Session]:
    """Two sessions of different units, so that each has stitchers and a token of its own."""
    return [neuroglot.simulate(sessions=2, units=12, trials=30, bins=20, seed=9)[1], session]


@pytest.mark.parametrize("inputs", ["counts", "standardised"])
@pytest.mark.parametrize("rope", [False, True], ids=["learned positions", "rotary positions"])
@pytest.mark.parametrize("norm", ["layer", "scale"])
def test_log_rates_are_equal(sessions: list[Session], tmp_path: Path, inputs: str, rope: bool, norm: str) -> None:
    from neuroglot import torch as networks

    settings = {"model__input": inputs, "model__rope": rope, "model__norm": norm, "model__layers": 2}
    model = MtM("paper", progress="none", **{**SMALL, "train__epochs": 4, **settings}).fit(sessions)
    model.save(tmp_path / "run")
    network = networks.load(tmp_path / "run")
    for session in sessions:
        counts = torch.from_numpy(session.counts.copy())
        with torch.no_grad():
            for asked in ASKED:
                expected = model.predict(session, log=True, **asked)
                hidden = torch.from_numpy(expected.hidden.copy())
                found = network(counts, session.eid, asked["prompt"], hidden)
                np.testing.assert_allclose(found, expected.values, rtol=0, atol=1e-5, err_msg=str(asked))
            latents = network.latents(counts, session.eid)
            np.testing.assert_allclose(latents, model.transform(session).values, rtol=0, atol=1e-5)
            # The comparison is fine enough to see each part: without it, log-rates are far from those of the model.
            for part, wrong in wrong_networks(network, counts, session.eid, hidden):
                difference = float((wrong - found).abs().max())
                assert difference > 1e-3, f"{part} makes a difference of {difference} only"
    # Published names, which are those of the file.
    names = set(network.state_dict())
    assert {"encoder.layers.0.attn.query.weight", "encoder.embedder.embed_pos.weight"} <= names
    assert {f"stitch_decoder.stitch_decoder_dict.{session.eid}.weight" for session in sessions} <= names


def wrong_networks(network: Any, counts: Any, eid: str, hidden: Any) -> Iterator[tuple[str, Any]]:
    """Log-rates of networks that lack something of the last of what was asked."""
    prompt = ASKED[-1]["prompt"]
    yield "another prompt", network(counts, eid, "inter-region", hidden)
    yield "causal attention", network(counts, eid, "causal", hidden)
    yield "what is hidden", network(counts, eid, prompt, ~hidden)
    right, network.sessions = network.sessions, network.sessions[::-1]
    yield "the session's token", network(counts, eid, prompt, hidden)
    network.sessions = right
    network.config["rope"] ^= True
    yield "rotary positions", network(counts, eid, prompt, hidden)
    network.config["rope"] ^= True
    if network.config["input"] == "standardised":
        network.config["input"] = "counts"
        yield "standardised counts", network(counts, eid, prompt, hidden)
        network.config["input"] = "standardised"
    other = next(session for session in network.sessions if session != eid)
    for name, parameter in network.named_parameters():
        # A bias of all keys adds the same to each of a query's scores, which softmax takes out again.
        if other in name or name.endswith("attn.key.bias"):
            continue
        kept = parameter.clone()
        parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
        yield name, network(counts, eid, prompt, hidden)
        parameter.copy_(kept)


def test_the_networks_of_recipes_are_equal(session: Session) -> None:
    """Of each recipe as it is: its ensemble's first network, beside which there may be a coupling."""
    from neuroglot import torch as networks

    for recipe in ("paper", "neuroglot"):
        model = MtM(recipe, progress="none", coupling__weight=0, **{**SMALL, "model__layers": 3}).fit(session)
        network = networks.load(model.run_folder)
        with torch.no_grad():
            found = network(torch.from_numpy(session.counts.copy()))
        np.testing.assert_allclose(found, model.predict(session, log=True).values, rtol=0, atol=1e-5, err_msg=recipe)


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

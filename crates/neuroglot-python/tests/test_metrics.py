"""Scores of arrays, against formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

import neuroglot
from neuroglot import metrics
from neuroglot.errors import SettingError


def example() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    rates = random.gamma(2.0, 0.5, (20, 10, 3))
    return rates, random.poisson(rates).astype(np.float64)


def test_bits_per_spike_is_the_gain_over_the_mean_rate() -> None:
    rates, counts = example()
    mean = counts.mean(axis=(0, 1))
    gain = (counts * np.log(rates) - rates).sum(axis=(0, 1)) - (counts * np.log(mean) - mean).sum(axis=(0, 1))
    spikes = counts.sum(axis=(0, 1))
    np.testing.assert_allclose(metrics.bits_per_spike(rates, counts), gain / np.log(2) / spikes, rtol=1e-10)
    pooled = gain.sum() / np.log(2) / spikes.sum()
    assert metrics.pooled_bits_per_spike(rates, counts) == pytest.approx(pooled)


def test_poisson_d2_is_the_share_of_deviance() -> None:
    rates, counts = example()
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(counts > 0, counts * np.log(counts), 0.0).sum(axis=(0, 1))
    mean = counts.mean(axis=(0, 1))
    of_model = own - counts.sum(axis=(0, 1)) - (counts * np.log(rates) - rates).sum(axis=(0, 1))
    of_mean = own - (counts * np.log(mean)).sum(axis=(0, 1))
    np.testing.assert_allclose(metrics.poisson_d2(rates, counts), 1 - of_model / of_mean, rtol=1e-9)


def test_r2_is_of_single_trials() -> None:
    rates, counts = example()
    of_model = ((counts - rates) ** 2).sum(axis=(0, 1))
    of_mean = ((counts - counts.mean(axis=(0, 1))) ** 2).sum(axis=(0, 1))
    np.testing.assert_allclose(metrics.r2(rates, counts), 1 - of_model / of_mean, rtol=1e-9)


def test_what_is_undefined_is_nan_and_what_is_no_rate_is_refused() -> None:
    rates, counts = np.ones((4, 2)), np.array([[0, 1], [0, 0], [0, 2], [0, 0]])
    scores = metrics.bits_per_spike(rates, counts)
    assert np.isnan(scores[0]) and np.isfinite(scores[1])
    with pytest.raises(SettingError, match="is no rate"):
        metrics.bits_per_spike(-rates, counts)
    with pytest.raises(SettingError, match=r"their shapes are \(4, 2\) and \(3, 2\)"):
        metrics.bits_per_spike(rates, counts[:3])


def test_own_scores_are_those_of_arrays(model: neuroglot.MtM, session: neuroglot.Session) -> None:
    """What `evaluate` says of forward prediction, from predictions with the last tenth of the bins hidden."""
    test = np.asarray(session.trials["split"]) == "test"
    predicted = model.predict(session, hide_bins=["18-19"])
    rates = predicted.values[test][:, 18:] * np.float32(session.bin_seconds)
    scores = metrics.bits_per_spike(rates, session.counts[test][:, 18:])
    units = model.evaluate(session, ["forward"]).units
    np.testing.assert_allclose(scores, np.asarray(units["bps"], dtype=float), atol=1e-4)


def test_baselines_are_scored_alike(session: neuroglot.Session) -> None:
    assert "psth" in neuroglot.baselines.NAMES
    evaluation = neuroglot.baselines.evaluate("psth", session, ["co-smoothing"], progress="none")
    assert list(evaluation.scores["task"]) == ["co-smoothing"]
    with pytest.raises(SettingError, match="there is no baseline `pst`"):
        neuroglot.baselines.evaluate("pst", session)


def test_psths_are_means_over_the_trials_of_a_condition() -> None:
    rates, counts = example()
    rates, counts = rates.reshape(-1, *rates.shape[-2:]), counts.reshape(-1, *counts.shape[-2:])
    conditions = np.array(["left", "right"])[np.arange(len(counts)) % 2]
    means = [np.stack([array[conditions == name].mean(axis=0) for name in ("left", "right")]) for array in (rates, counts)]
    predicted, found = (mean.reshape(-1, mean.shape[-1]) for mean in means)
    of_model, of_mean = ((found - predicted) ** 2).sum(axis=0), ((found - found.mean(axis=0)) ** 2).sum(axis=0)
    np.testing.assert_allclose(metrics.psth_r2(rates, counts, conditions), 1 - of_model / of_mean, rtol=1e-9)
    with pytest.raises(SettingError, match="one per trial"):
        metrics.psth_r2(rates, counts, np.zeros(len(counts) + 1))


def test_baselines_take_arrays(session: neuroglot.Session) -> None:
    counts = np.array(session.counts)
    made = neuroglot.Session.from_numpy(counts, bin_seconds=session.bin_seconds)
    of_session = neuroglot.baselines.evaluate("psth", made, ["forward"], progress="none")
    of_array = neuroglot.baselines.evaluate("psth", counts, ["forward"], bin_seconds=session.bin_seconds, progress="none")
    assert of_array.score("forward") == of_session.score("forward")

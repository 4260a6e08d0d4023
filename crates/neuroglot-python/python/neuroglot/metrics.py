"""Scores of predicted rates against spike counts, as functions of arrays: other models are scored as ours.

Rates are in spikes/bin, and of the same shape as the counts: ``[..., unit]``. A score that is undefined for a unit (it has no
spike, or its counts never vary) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from neuroglot import _neuroglot
from neuroglot.errors import SettingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["bits_per_spike", "poisson_d2", "pooled_bits_per_spike", "psth_r2", "r2"]


def bits_per_spike(rates: npt.ArrayLike, counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Bits per spike: the gain in log-likelihood over a unit's own mean rate, divided by ln 2 and its spikes.

    Parameters
    ----------
    rates : array ``[..., unit]``
        Predicted rates, spikes/bin.
    counts : array ``[..., unit]``
        Spike counts. The mean rate of a unit is that of these counts.

    Returns
    -------
    array ``[unit]``
        Bits/spike; the mean over units is what tables of this package show.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([[0.0], [2.0]])
    >>> float(bits_per_spike(np.array([[1e-9], [2.0]]), counts)[0].round(6))
    1.0
    """
    return _per_unit(lambda *arrays: _neuroglot.bits_per_spike(*arrays)[0], rates, counts)


def pooled_bits_per_spike(rates: npt.ArrayLike, counts: npt.ArrayLike) -> float:
    """Bits per spike of all units together, as the Neural Latents Benchmark has it.

    Parameters
    ----------
    rates, counts : array ``[..., unit]``
        As in :func:`bits_per_spike`.

    Returns
    -------
    float
        Bits/spike: all units' gain in log-likelihood over all units' spikes.
    """
    pooled = _neuroglot.bits_per_spike(*_bytes(rates, counts))[1]
    return float("nan") if pooled is None else pooled


def poisson_d2(rates: npt.ArrayLike, counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Poisson D²: the share of a unit's deviance that rates explain.

    Parameters
    ----------
    rates, counts : array ``[..., unit]``
        As in :func:`bits_per_spike`.

    Returns
    -------
    array ``[unit]``
        1 is a perfect prediction, 0 is no better than the unit's mean.
    """
    return _per_unit(_neuroglot.poisson_d2, rates, counts)


def r2(rates: npt.ArrayLike, counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """R² of single trials, bin by bin.

    Parameters
    ----------
    rates, counts : array ``[..., unit]``
        As in :func:`bits_per_spike`.

    Returns
    -------
    array ``[unit]``
    """
    return _per_unit(_neuroglot.r2, rates, counts)


def psth_r2(
    rates: npt.ArrayLike, counts: npt.ArrayLike, conditions: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """R² of PSTHs: predicted rates averaged over the trials of each condition, against counts averaged alike.

    Parameters
    ----------
    rates, counts : array ``[trial, bin, unit]``
        As in :func:`bits_per_spike`.
    conditions : array ``[trial]``
        What tells conditions apart: numbers or texts.

    Returns
    -------
    array ``[unit]``

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([[[0.0], [1.0]], [[2.0], [1.0]], [[4.0], [4.0]]])
    >>> psth_r2(counts, counts, ["left", "left", "right"])
    array([1.])
    """
    import numpy as np

    if np.ndim(counts) != 3 or np.shape(conditions) != np.shape(counts)[:1]:
        raise SettingError("conditions: there must be one per trial of rates and counts, which are [trial, bin, unit]")
    places = np.unique(np.asarray(conditions), return_inverse=True)[1].tolist()

    def score(rates: bytes, counts: bytes, units: int) -> list[float | None]:
        return _neuroglot.psth_r2(rates, counts, units, places)

    return _per_unit(score, rates, counts)


def _bytes(rates: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[bytes, bytes, int]:
    import numpy as np

    rates, counts = np.asarray(rates), np.asarray(counts)
    if rates.shape != counts.shape or rates.ndim < 2:
        raise SettingError(
            f"rates and counts: their shapes are {rates.shape} and {counts.shape}, and must be one, [..., unit]"
        )
    as_bytes = (np.ascontiguousarray(array, dtype="<f8").tobytes() for array in (rates, counts))
    return next(as_bytes), next(as_bytes), rates.shape[-1]


def _per_unit(score: Callable[..., Any], rates: npt.ArrayLike, counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    import numpy as np

    found = score(*_bytes(rates, counts))
    return np.array([np.nan if value is None else value for value in found], dtype=np.float64)

"""Arrays that know their session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neuroglot.session import Session

__all__ = ["SessionArray"]


class SessionArray:
    """Numbers of every trial and bin of a session: rates of units, or latents.

    It is taken as an array wherever NumPy takes one (``np.asarray``, functions of NumPy and scikit-learn), and by
    ``torch.from_dlpack`` and ``jax.numpy.from_dlpack``, without a copy.

    Attributes
    ----------
    values : numpy.ndarray of float32
        The numbers, ``[trial, bin, unit]`` or ``[trial, bin, hidden]``.
    session : Session
        The session as the model sees it: row for row its ``trials``, column for column its ``units``.
    last : str
        What the last axis is: ``"unit"`` or ``"hidden"``.
    quantity : str
        What the numbers are, with their unit, such as ``"rate (spikes/s)"``.
    hidden : numpy.ndarray of bool or None
        Which entries of each trial were hidden from the model, ``[bin, unit]``.
    """

    __slots__ = ("hidden", "last", "quantity", "session", "values")

    values: npt.NDArray[np.float32]
    session: Session
    last: str
    quantity: str
    hidden: npt.NDArray[np.bool_] | None

    def __init__(
        self,
        values: npt.NDArray[np.float32],
        session: Session,
        last: str,
        quantity: str,
        hidden: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        self.values = values
        self.session = session
        self.last = last
        self.quantity = quantity
        self.hidden = hidden

    @property
    def shape(self) -> tuple[int, ...]:
        """Trials, bins, and units or latents."""
        return self.values.shape

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """The type of the numbers."""
        return self.values.dtype

    @property
    def ndim(self) -> int:
        """Three."""
        return self.values.ndim

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        import numpy as np

        if copy:
            return np.array(self.values, dtype=dtype)
        if dtype is None or self.values.dtype == dtype:
            return self.values
        if copy is False:
            raise ValueError("another type of numbers needs a copy")
        return self.values.astype(dtype)

    def __dlpack__(self, **arguments: Any) -> Any:
        return self.values.__dlpack__(**arguments)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()

    def __repr__(self) -> str:
        trials, bins, last = self.shape
        what = "units" if self.last == "unit" else "latents"
        return f"<SessionArray: {self.quantity}, [{trials} trials, {bins} bins, {last} {what}], {self.session.eid}>"

    def as_xarray(self) -> Any:
        """Label the axes.

        Returns
        -------
        xarray.DataArray
            The same numbers, not copied, with the coordinates ``trial``, ``trial_id``, ``split``, ``time`` (s from the
            beginning of the trial's window to the middle of the bin) and, of units, ``unit`` (uuid), ``region``.

        Notes
        -----
        Needs xarray: ``pip install neuroglot[xarray]``.
        """
        import xarray as xr

        trials, units = self.session.trials, self.session.units
        coordinates: dict[str, Any] = {
            "trial": ("trial", trials["trial"]),
            "trial_id": ("trial", trials["trial_id"]),
            "split": ("trial", trials["split"]),
            "time": ("time", self.session.time, {"units": "s"}),
        }
        if self.last == "unit":
            coordinates["unit"] = ("unit", units["uuid"])
            coordinates["region"] = ("unit", units["region"])
        return xr.DataArray(
            self.values,
            dims=("trial", "time", self.last),
            coords={name: _plain(coordinate) for name, coordinate in coordinates.items()},
            name=self.quantity.split(" (")[0],
            attrs={"quantity": self.quantity, "eid": self.session.eid},
        )

    def as_pynapple(self) -> Any:
        """Put the trials back into the time of the recording.

        Returns
        -------
        pynapple.TsdFrame
            A row per bin at the time of its middle (s), a column per unit (named by uuid) or latent; its time support is the
            windows of the trials.

        Raises
        ------
        SessionError
            It is not known when trials were, or their windows overlap.

        Notes
        -----
        Needs pynapple: ``pip install neuroglot[pynapple]``.
        """
        import numpy as np
        import pynapple as nap

        from neuroglot.errors import SessionError

        starts = np.asarray(self.session.trials["start"], dtype=np.float64)
        if not np.isfinite(starts).all():
            raise SessionError(
                f"session {self.session.eid}: it is not known when its trials were: give `starts` where it is made"
            )
        order = np.argsort(starts)
        _, bins, last = self.shape
        seconds = bins * self.session.bin_seconds
        if (np.diff(starts[order]) < seconds * (1 - 1e-9)).any():
            raise SessionError(
                f"session {self.session.eid}: windows of trials overlap, so that a moment has several values: take shorter "
                "windows, or `as_xarray`"
            )
        times = (starts[order][:, None] + self.session.time[None, :]).ravel()
        columns = list(self.session.units["uuid"]) if self.last == "unit" else list(range(last))
        support = nap.IntervalSet(start=starts[order], end=starts[order] + seconds * (1 - 1e-9))
        return nap.TsdFrame(t=times, d=self.values[order].reshape(-1, last), time_support=support, columns=columns)


def _plain(coordinate: tuple[Any, ...]) -> tuple[Any, ...]:
    import numpy as np

    dimension, values, *attributes = coordinate
    return (dimension, np.asarray(values), *attributes)

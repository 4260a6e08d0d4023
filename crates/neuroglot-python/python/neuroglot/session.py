"""Sessions: one recording of one animal, cut into trials."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from neuroglot import _given, _neuroglot
from neuroglot._frames import frame
from neuroglot.errors import SettingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from typing_extensions import Self

    PathLike = str | os.PathLike[str]

__all__ = ["Session", "simulate"]

#: Regions of simulated sessions, from the top of the probe down.
_REGIONS = ("VISa", "CA1", "LP", "PO")


def _of_hub(name: str) -> str:
    """The folder of the one session that is meant, downloaded unless it is here."""
    found = _neuroglot.sessions_of_hub(name, None)
    if len(found) > 1:
        names = ", ".join(os.path.basename(place) for place in found)
        raise SettingError(f"hub:{name} holds {len(found)} sessions: choose one of {names}, as hub:owner/name/eid_aligned")
    return os.fspath(found[0])


class Session:
    """One recording of one animal: spike counts ``[trial, bin, unit]``, a region per unit, a split and behaviours per trial.

    Sessions are made by :meth:`read`, :meth:`from_numpy`, :meth:`from_spikes`, :meth:`from_pynapple`, :meth:`from_nwb`,
    :meth:`from_alf` and :meth:`simulate`. They are not changed: :meth:`filter`, :meth:`select_units` and indexing by trials make
    others.

    Attributes
    ----------
    notes : list of str
        What should be known about how the session was made.

    Examples
    --------
    >>> import neuroglot
    >>> session = neuroglot.Session.simulate(units=12, trials=30, bins=20)
    >>> session.shape
    (30, 20, 12)
    >>> session[:10].shape
    (10, 20, 12)
    """

    __slots__ = ("_counts", "_native", "notes")

    notes: list[str]

    def __init__(self, native: _neuroglot.Session, notes: Iterable[str] = ()) -> None:
        self._native = native
        self._counts: npt.NDArray[np.float32] | None = None
        self.notes = list(notes)

    # Making sessions.

    @classmethod
    def read(cls, folder: PathLike) -> Self:
        """Read a session folder ``<eid>_aligned``, as the command writes them and the Hugging Face hub has them.

        Parameters
        ----------
        folder : path
            The folder, or ``hub:owner/name`` of a data set of the hub that holds one session; of one of several,
            ``hub:owner/name/eid_aligned``. ``@revision`` may follow.

        Returns
        -------
        Session

        Raises
        ------
        NotFoundError
            There is no session in the folder.
        """
        place = os.fspath(folder)
        if place.startswith("hub:"):
            place = _of_hub(place.removeprefix("hub:"))
        return cls(_neuroglot.Session.read(place))

    @classmethod
    def simulate(
        cls,
        *,
        units: int = 60,
        trials: int = 240,
        bins: int = 50,
        bin_seconds: float = 0.02,
        regions: Sequence[str] = _REGIONS,
        seed: int = 42,
    ) -> Self:
        """Simulate a session whose true rates are known: the first of :func:`simulate`.

        Parameters
        ----------
        units, trials, bins : int
            How many there are.
        bin_seconds : float
            Width of a bin, s.
        regions : sequence of str
            Acronyms of regions, from the top of the probe down.
        seed : int
            Decides everything random.

        Returns
        -------
        Session
        """
        settings = {
            "sessions": 1,
            "units": units,
            "trials": trials,
            "bins": bins,
            "bin_seconds": bin_seconds,
            "regions": list(regions),
            "seed": seed,
        }
        return cls(_neuroglot.simulate(json.dumps(settings))[0])

    @classmethod
    def from_numpy(
        cls,
        counts: npt.ArrayLike,
        *,
        bin_seconds: float = 0.02,
        regions: Sequence[str | None] | None = None,
        uuids: Sequence[str] | None = None,
        depths: npt.ArrayLike | None = None,
        good: Sequence[bool] | None = None,
        trials: Mapping[str, Any] | pd.DataFrame | None = None,
        traces: Mapping[str, npt.ArrayLike] | None = None,
        starts: npt.ArrayLike | None = None,
        eid: str = "session",
        subject: str = "unknown",
        lab: str = "unknown",
        species: str = "unknown",
        **options: Any,
    ) -> Self:
        """Make a session of counts in the bins of trials.

        Parameters
        ----------
        counts : array ``[trial, bin, unit]``
            Spikes of each unit in each bin: whole numbers.
        bin_seconds : float
            Width of a bin, s.
        regions : sequence of str, optional
            Acronym of each unit's brain region. Names of the Allen atlas are taken to the Beryl parcellation.
        uuids : sequence of str, optional
            A name for each unit, unique among them; ``<eid>-0``, ``<eid>-1``, … where none are given.
        depths : array ``[unit]``, optional
            Depth of each unit along the probe, µm.
        good : sequence of bool, optional
            Whether each unit passed quality control.
        trials : mapping or pandas.DataFrame, optional
            A value or a text per trial, by name: these become behaviours that can be decoded. Texts are categories, of which
            there may be 2 to 64.
        traces : mapping of arrays ``[trial, bin]``, optional
            Behaviours with a value per bin, such as wheel speed; NaN where missing.
        starts : array ``[trial]``, optional
            When the window of each trial began in the recording, s.
        eid, subject, lab, species : str
            What the session, the animal and the laboratory are called. Sessions of one model need different eids.
        **options
            Options of ``neuroglot prepare``, by their names in ``provenance.json``, such as ``split=(70, 10, 20)``,
            ``split_kind="random"``, ``seed=42``.

        Returns
        -------
        Session

        Raises
        ------
        SettingError
            Counts that are not whole numbers, or parts that do not fit together.
        """
        import numpy as np

        array = np.asarray(counts)
        if array.ndim != 3:
            raise SettingError(f"counts: the shape is {array.shape}, and must be [trial, bin, unit]")
        units = array.shape[2]
        builder = _neuroglot.CountsBuilder(array.shape[1], units)
        # Trial by trial, so that a large array is never copied as a whole.
        for trial, of_trial in enumerate(array):
            builder.push(_given.whole(of_trial, trial).tobytes())
        description = _given.description(
            units=_given.units(units, eid, regions, uuids, depths, good),
            names={"eid": eid, "subject": subject, "lab": lab, "species": species},
        )
        native, notes = _neuroglot.session_of_counts(
            builder,
            bin_seconds,
            description,
            _given.columns(trials),
            {name: _given.doubles(trace) for name, trace in (traces or {}).items()},
            None if starts is None else _given.doubles(starts),
            json.dumps(_given.plain(options)),
        )
        return cls(native, notes)

    @classmethod
    def from_spikes(
        cls,
        times: npt.ArrayLike | Sequence[npt.ArrayLike],
        units: npt.ArrayLike | None = None,
        *,
        align: npt.ArrayLike,
        window: tuple[float, float] = (-0.5, 1.5),
        bin: float = 0.02,
        regions: Sequence[str | None] | Mapping[Any, str | None] | None = None,
        uuids: Sequence[str] | None = None,
        depths: npt.ArrayLike | None = None,
        good: Sequence[bool] | None = None,
        trials: Mapping[str, Any] | pd.DataFrame | None = None,
        eid: str = "session",
        subject: str = "unknown",
        lab: str = "unknown",
        species: str = "unknown",
        **options: Any,
    ) -> Self:
        """Make a session of spike times, cut into trials around events.

        Parameters
        ----------
        times : array ``[spike]``, or a sequence of arrays
            Time of each spike, s; with a sequence, of the spikes of each unit.
        units : array ``[spike]``, optional
            The unit of each spike, by number or name; left out where `times` is a sequence of arrays.
        align : array ``[trial]``
            Time of the event of each trial, s; NaN where there was none, which leaves the trial out.
        window : (float, float)
            First and last moment of a trial, s from the event.
        bin : float
            Width of a bin, s.
        regions : sequence or mapping, optional
            Acronym of each unit's brain region, in the order of the units (sorted, where `units` is given), or by unit.
        uuids, depths, good, trials, eid, subject, lab, species, **options
            As in :meth:`from_numpy`.

        Returns
        -------
        Session
        """
        import numpy as np

        if units is None:
            of_units = [np.asarray(spikes, dtype=np.float64).ravel() for spikes in times]  # type: ignore[union-attr]
            labels: list[Any] = list(range(len(of_units)))
            all_times = np.concatenate(of_units) if of_units else np.empty(0)
            places = np.repeat(np.arange(len(of_units)), [len(spikes) for spikes in of_units])
        else:
            all_times = np.asarray(times, dtype=np.float64).ravel()
            found, places = np.unique(np.asarray(units).ravel(), return_inverse=True)
            labels = found.tolist()
            uuids = [f"{eid}-{label}" for label in labels] if uuids is None else uuids
        if len(all_times) != len(places):
            raise SettingError(f"times and units: {len(all_times)} times of {len(places)} spikes")
        if isinstance(regions, Mapping):
            regions = [regions.get(label) for label in labels]
        order = np.argsort(all_times, kind="stable")
        native, notes = _neuroglot.session_of_spikes(
            _given.doubles(all_times[order]),
            places[order].astype("<u4").tobytes(),
            _given.description(
                units=_given.units(len(labels), eid, regions, uuids, depths, good),
                names={"eid": eid, "subject": subject, "lab": lab, "species": species},
            ),
            _given.doubles(align),
            _given.columns(trials),
            json.dumps({"window": [float(edge) for edge in window], "bin_seconds": float(bin), **_given.plain(options)}),
        )
        return cls(native, notes)

    @classmethod
    def from_pynapple(
        cls,
        units: Any,
        events: Any,
        *,
        window: tuple[float, float] | None = None,
        bin: float = 0.02,
        **others: Any,
    ) -> Self:
        """Make a session of a group of units of pynapple.

        Parameters
        ----------
        units : pynapple.TsGroup
            The units. Its metadata ``region`` (or ``location``), if there is one, says where they are.
        events : pynapple.Ts or pynapple.IntervalSet
            What trials are aligned to, or the trials themselves, which must be of one length.
        window : (float, float), optional
            First and last moment of a trial, s from the event; with intervals, from their beginning [default: (-0.5, 1.5), and
            with intervals their length].
        bin : float
            Width of a bin, s.
        **others
            As in :meth:`from_spikes`. Metadata of the intervals become behaviours where no `trials` are given.

        Returns
        -------
        Session
        """
        import numpy as np
        import pynapple as nap

        labels = list(units.keys())
        metadata = getattr(units, "metadata_columns", [])
        if "regions" not in others:
            for name in ("region", "location"):
                if name in metadata:
                    others["regions"] = [None if region is None else str(region) for region in units[name]]
                    break
        others.setdefault("uuids", [f"{others.get('eid', 'session')}-{label}" for label in labels])
        if isinstance(events, nap.IntervalSet):
            starts = np.asarray(events.start, dtype=np.float64)
            lengths = np.asarray(events.end, dtype=np.float64) - starts
            if window is None:
                bins = np.floor(lengths / bin + 1e-6)
                if len(bins) == 0 or bins.min() != bins.max():
                    raise SettingError(
                        "events: the intervals are not of one length: give a `window` around their beginnings"
                    )
                window = (0.0, float(bins[0] * bin))
            columns = [name for name in getattr(events, "metadata_columns", []) if name not in ("start", "end")]
            if "trials" not in others and columns:
                others["trials"] = {name: np.asarray(events[name]) for name in columns}
        else:
            starts = np.asarray(events.t if hasattr(events, "t") else events, dtype=np.float64)
        return cls.from_spikes(
            [np.asarray(units[label].t, dtype=np.float64) for label in labels],
            align=starts,
            window=(-0.5, 1.5) if window is None else window,
            bin=bin,
            **others,
        )

    @classmethod
    def from_nwb(cls, file: PathLike, *, reading: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """Make a session of an NWB 2 file, as ``neuroglot prepare FILE.nwb`` does, without writing it.

        Parameters
        ----------
        file : path
            The file.
        reading : mapping, optional
            What is read, by its names in ``provenance.json`` under ``reading.nwb``, such as
            ``{"eid": "mouse-1", "intervals": "trials"}``.
        **options
            How it is cut, by their names in ``provenance.json`` under ``options``, such as ``bin_seconds=0.02``,
            ``window=(-0.5, 1.5)``, ``align="start_time"``, ``conditions=[{"name": "choice", "column": "response"}]``.

        Returns
        -------
        Session
        """
        return cls._of_source(file, {"nwb": _given.plain(reading or {})}, options)

    @classmethod
    def from_alf(cls, folder: PathLike, *, reading: Mapping[str, Any] | None = None, **options: Any) -> Self:
        """Make a session of a session folder of the International Brain Laboratory, as ``neuroglot prepare`` does.

        Parameters
        ----------
        folder : path
            ``…/Subjects/<subject>/<date>/<number>``.
        reading : mapping, optional
            What is read, by its names in ``provenance.json`` under ``reading.alf``, such as ``{"probes": ["probe00"]}``.
        **options
            As in :meth:`from_nwb`.

        Returns
        -------
        Session
        """
        return cls._of_source(folder, {"alf": _given.plain(reading or {})}, options)

    @classmethod
    def _of_source(cls, place: PathLike, reading: Mapping[str, Any], options: Mapping[str, Any]) -> Self:
        native, notes = _neuroglot.session_of_source(
            os.fspath(place), json.dumps(reading), json.dumps(_given.plain(options))
        )
        return cls(native, notes)

    def write(self, folder: PathLike, *, overwrite: bool = False) -> None:
        """Write the session to a folder that :meth:`read`, the command and ``datasets.load_dataset`` read.

        Files are of training, validation and test trials, so these follow each other in a session that is read again.

        Parameters
        ----------
        folder : path
            The folder, usually called ``<eid>_aligned``.
        overwrite : bool
            Replace a session that is there already.

        Raises
        ------
        ExistsError
            There is something in the folder, and it is not to be replaced.
        """
        self._native = self._native.write(os.fspath(folder), overwrite)

    # What is in a session.

    @property
    def eid(self) -> str:
        """Identifier of the session."""
        return self._native.eid

    @property
    def subject(self) -> str:
        """The animal."""
        return self._native.subject

    @property
    def lab(self) -> str:
        """The laboratory."""
        return self._native.lab

    @property
    def bin_seconds(self) -> float:
        """Width of a bin, s."""
        return self._native.bin_seconds

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of trials, bins and units."""
        return self._native.shape

    @property
    def time(self) -> npt.NDArray[np.float64]:
        """The middle of each bin, ``[bin]``, s from the beginning of the trial's window."""
        import numpy as np

        return np.asarray((np.arange(self.shape[1]) + 0.5) * self.bin_seconds, dtype=np.float64)

    @property
    def counts(self) -> npt.NDArray[np.float32]:
        """Spike counts, ``[trial, bin, unit]``, spikes/bin; read-only.

        A session keeps counts sparse. The dense array is made once, when it is first asked for.
        """
        if self._counts is None:
            import numpy as np

            counts = np.asarray(self._native.counts())
            counts.flags.writeable = False
            self._counts = counts
        return self._counts

    @property
    def units(self) -> pd.DataFrame:
        """A row per unit: ``unit`` (its index before filters), ``uuid``, ``region``, ``depth`` (µm), ``channel``, ``rate`` (Hz),
        ``good``. A dictionary of arrays where pandas is not installed."""
        return frame(self._native.units())

    @property
    def trials(self) -> pd.DataFrame:
        """A row per trial: ``trial`` (its index before filters), ``trial_id``, ``split``, ``start`` (of its window, s), and the
        behaviours that have one value per trial: numbers (NaN where missing) or texts (empty where missing). A dictionary of
        arrays where pandas is not installed."""
        return frame(self._native.trials())

    @property
    def traces(self) -> dict[str, npt.NDArray[np.float64]]:
        """Behaviours with a value per bin, by name: ``[trial, bin]``, NaN where missing."""
        import numpy as np

        return {name: np.asarray(values) for name, values in self._native.traces().items()}

    @property
    def regions(self) -> list[str]:
        """Acronyms of the units' regions, each once, sorted."""
        return sorted(set(self._native.units()["region"]))

    @property
    def true_rates(self) -> npt.NDArray[np.float32] | None:
        """Rates that the spikes of a simulated session were drawn from, ``[trial, bin, unit]``, spikes/s; ``None`` of
        recordings."""
        import numpy as np

        rates = self._native.true_rates()
        if rates is None:
            return None
        array: npt.NDArray[np.float32] = np.asarray(rates)
        array /= np.float32(self.bin_seconds)
        return array

    # Parts of a session.

    def filter(
        self,
        *,
        min_rate: float = 0.0,
        regions: Sequence[str] | None = None,
        good_only: bool = False,
        min_units_per_region: int = 0,
        drop_no_go: bool = False,
    ) -> Session:
        """Leave out units and trials.

        Parameters
        ----------
        min_rate : float
            Lowest rate of a unit over the training trials, Hz.
        regions : sequence of str, optional
            Keep only units of these regions.
        good_only : bool
            Leave out units that failed quality control.
        min_units_per_region : int
            Leave out regions with fewer units.
        drop_no_go : bool
            Leave out trials whose ``choice`` is 0.

        Returns
        -------
        Session
            Its ``notes`` say what was left out, and why.

        Raises
        ------
        SessionError
            Nothing is left.
        """
        settings = {
            "min_rate": min_rate,
            "regions": None if regions is None else list(regions),
            "good_only": good_only,
            "min_units_per_region": min_units_per_region,
            "drop_no_go": drop_no_go,
        }
        native, report = self._native.filter(json.dumps(settings))
        return Session(native, report.splitlines())

    def select_units(self, units: npt.ArrayLike) -> Session:
        """Keep some units.

        Parameters
        ----------
        units : array
            Their places in the session, or a truth value for each unit.

        Returns
        -------
        Session
        """
        return Session(self._native.select_units(_given.places(units, self.shape[2], "units")))

    def __getitem__(self, trials: Any) -> Session:
        """Keep some trials: a slice, their places, or a truth value for each trial."""
        if isinstance(trials, tuple) and len(trials) == 2 and trials[1] is Ellipsis:
            trials = trials[0]
        if isinstance(trials, slice):
            places = list(range(*trials.indices(len(self))))
        elif isinstance(trials, int):
            raise SettingError("a session is made of several trials: take session[n:n + 1], or counts[n]")
        else:
            places = _given.places(trials, len(self), "trials")
        return Session(self._native.select_trials(places))

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> Any:
        """Pickle the folder that the session was read from, so that other processes read it there."""
        folder = self._native.same_when_read()
        if folder is None:
            raise SettingError(
                f"session {self.eid} is in memory alone, and other processes cannot be given it: `write` it, and take what "
                "`Session.read` gives"
            )
        return (Session.read, (os.fspath(folder),))

    # What it looks like.

    def summary(self) -> str:
        """What is in the session: trials, units per region, rates, behaviours, warnings.

        Returns
        -------
        str
            What ``neuroglot inspect`` prints.
        """
        return self._native.summary()

    def __repr__(self) -> str:
        trials, bins, units = self.shape
        return (
            f"<Session {self.eid}: {trials} trials of {bins} bins of {1000 * self.bin_seconds:g} ms, {units} units in "
            f"{', '.join(self.regions)}>"
        )

    def _repr_html_(self) -> str:
        from neuroglot._pictures import session_card

        return session_card(self, escape(self.summary()))

    def as_xarray(self) -> Any:
        """Counts with labelled axes: see :meth:`neuroglot.SessionArray.as_xarray`.

        Returns
        -------
        xarray.DataArray
            ``[trial, time, unit]``, spikes/bin.
        """
        from neuroglot.arrays import SessionArray

        return SessionArray(self.counts, self, "unit", "count (spikes/bin)").as_xarray()

    def as_pynapple(self) -> Any:
        """Counts in the time of the recording: see :meth:`neuroglot.SessionArray.as_pynapple`.

        Returns
        -------
        pynapple.TsdFrame
            A row per bin, a column per unit, spikes/bin.
        """
        from neuroglot.arrays import SessionArray

        return SessionArray(self.counts, self, "unit", "count (spikes/bin)").as_pynapple()


def simulate(
    *,
    sessions: int = 3,
    units: int = 60,
    trials: int = 240,
    bins: int = 50,
    bin_seconds: float = 0.02,
    regions: Sequence[str] = _REGIONS,
    seed: int = 42,
) -> list[Session]:
    """Simulate sessions of several animals that do one task, as ``neuroglot simulate`` does.

    Parameters
    ----------
    sessions : int
        Number of sessions, each of another animal. Their regions share dynamics.
    units, trials, bins, bin_seconds, regions, seed
        As in :meth:`Session.simulate`.

    Returns
    -------
    list of Session
    """
    settings = {
        "sessions": sessions,
        "units": units,
        "trials": trials,
        "bins": bins,
        "bin_seconds": bin_seconds,
        "regions": list(regions),
        "seed": seed,
    }
    return [Session(native) for native in _neuroglot.simulate(json.dumps(settings))]

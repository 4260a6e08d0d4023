"""What an evaluation found."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from neuroglot import _neuroglot
from neuroglot._frames import frame

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from typing_extensions import Self

    PathLike = str | os.PathLike[str]

__all__ = ["Decoding", "Evaluation"]


class Evaluation:
    """Scores on the test trials of sessions.

    Scores of tasks are bits/spike over a unit's own mean rate: 0 is no better than knowing that mean.
    """

    __slots__ = ("_everything", "_native")

    def __init__(self, native: _neuroglot.Evaluation) -> None:
        self._native = native
        self._everything: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: PathLike) -> Self:
        """Read an evaluation that was written.

        Parameters
        ----------
        folder : path
            Its folder, such as ``RUN/evaluation``.

        Returns
        -------
        Evaluation

        Raises
        ------
        NotFoundError
            There is no evaluation in the folder.
        """
        return cls(_neuroglot.Evaluation.read(os.fspath(folder)))

    def write(self, folder: PathLike, *, fresh: bool = False) -> None:
        """Write ``evaluation.json``, ``summary.json`` and ``units.parquet``, as ``neuroglot evaluate`` does.

        Parameters
        ----------
        folder : path
            The folder; of a run that is to be reported and compared by the command, ``RUN/evaluation``.
        fresh : bool
            Replace all scores in the folder. Without this, those stay that are of the same weights and settings.
        """
        self._native.write(os.fspath(folder), fresh)

    @property
    def everything(self) -> dict[str, Any]:
        """All that ``evaluation.json`` holds: scores of each unit, example units, confusion of decoded behaviours."""
        if self._everything is None:
            self._everything = json.loads(self._native.json())
        return self._everything

    def to_json(self) -> str:
        """Everything as JSON.

        Returns
        -------
        str
            The text of ``evaluation.json``.
        """
        return self._native.json()

    def summary(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Scores by session and task or behaviour.

        Returns
        -------
        dict
            What ``neuroglot evaluate --json`` prints.
        """
        summary: dict[str, dict[str, dict[str, Any]]] = json.loads(self._native.summary())
        return summary

    @property
    def scores(self) -> pd.DataFrame:
        """A row per session and task: ``eid``, ``task``, ``bps`` (bits/spike, mean over units) with the 95 % interval over units
        ``bps_low`` and ``bps_high``, ``bps_pooled``, ``d2``, ``r2``, ``psth_r2``; of a model that averages networks with a
        coupling, ``networks`` and ``coupling`` alone (bits/spike); of simulated sessions, ``ceiling`` and ``state_ceiling``. A
        dictionary of arrays where pandas is not installed."""
        rows = []
        for session in self.everything["sessions"]:
            for task in session["tasks"]:
                scores = task["scores"]
                alone = task.get("alone") or {}
                bps = scores["bps"] or {}
                rows.append(
                    {
                        "eid": session["eid"],
                        "task": task["task"],
                        "bps": bps.get("mean"),
                        "bps_low": bps.get("low"),
                        "bps_high": bps.get("high"),
                        "bps_pooled": scores["bps_pooled"],
                        "d2": scores["d2"],
                        "r2": scores["r2"],
                        "psth_r2": scores["psth_r2"],
                        "networks": _mean(alone.get("networks")),
                        "coupling": _mean(alone.get("coupling")),
                        "ceiling": _mean(task.get("ceiling")),
                        "state_ceiling": _mean(task.get("state_ceiling")),
                    }
                )
        return _table(rows, ["eid", "task", "bps", "bps_low", "bps_high", "bps_pooled", "d2", "r2", "psth_r2"])

    @property
    def units(self) -> pd.DataFrame:
        """A row per session, task and unit: ``eid``, ``task``, ``unit`` (its index before filters), ``uuid``, ``region``,
        ``spikes``, ``bps``, ``d2``, ``r2``, ``psth_r2``, ``ceiling_bps``. A dictionary of arrays where pandas is not installed."""
        rows = []
        for session in self.everything["sessions"]:
            for task in session["tasks"]:
                for label, scores in zip(session["units"], task["per_unit"], strict=True):
                    of_unit = {"unit": label.get("index"), "uuid": label["uuid"], "region": label["region"]}
                    rows.append({"eid": session["eid"], "task": task["task"], **of_unit, **scores})
        return _table(rows, ["eid", "task", "unit", "uuid", "region", "spikes", "bps", "d2", "r2", "psth_r2"])

    @property
    def decoding(self) -> pd.DataFrame:
        """A row per session and decoded behaviour: ``eid``, ``behaviour``, ``metric`` (``accuracy`` or ``r2``), ``score`` with its
        95 % interval ``low`` and ``high``, ``chance``, ``balanced_accuracy``, ``auc``. A dictionary of arrays where pandas is
        not installed."""
        rows = []
        for session in self.everything["sessions"]:
            for decoded in session["decoding"]:
                interval = decoded.get("interval") or {}
                rows.append(
                    {
                        "eid": session["eid"],
                        "behaviour": decoded["behaviour"],
                        "metric": decoded["metric"],
                        "score": decoded["score"],
                        "low": interval.get("low"),
                        "high": interval.get("high"),
                        "chance": decoded["chance"],
                        "balanced_accuracy": (decoded.get("balanced_accuracy") or {}).get("mean"),
                        "auc": (decoded.get("auc") or {}).get("mean"),
                    }
                )
        return _table(rows, ["eid", "behaviour", "metric", "score", "low", "high", "chance"])

    def score(self, task: str = "co-smoothing") -> float:
        """Mean over sessions of a task's bits/spike (mean over units), or of a decoded behaviour's score.

        Parameters
        ----------
        task : str
            A task or a behaviour that was evaluated.

        Returns
        -------
        float
            NaN where it is undefined in every session.
        """
        found = []
        for session in self.everything["sessions"]:
            found += [(result["scores"]["bps"] or {}).get("mean") for result in session["tasks"] if result["task"] == task]
            found += [result["score"] for result in session["decoding"] if result["behaviour"] == task]
        known = [float(value) for value in found if value is not None]
        return sum(known) / len(known) if known else float("nan")

    def __repr__(self) -> str:
        lines = []
        for eid, scores in self.summary().items():
            parts = []
            for name, values in scores.items():
                value = values.get("bps", values.get("accuracy", values.get("r2")))
                parts.append(f"{name} {'n/a' if value is None else f'{value:.3f}'}")
            lines.append(f"{eid}: {', '.join(parts)}")
        return f"<Evaluation\n  {chr(10).join(lines).replace(chr(10), chr(10) + '  ')}>"

    def _repr_html_(self) -> str:
        from neuroglot._pictures import bars

        parts = []
        for session in self.everything["sessions"]:
            rows = []
            for task in session["tasks"]:
                bps = task["scores"]["bps"] or {}
                rows.append((task["task"], *(float(bps.get(key, "nan")) for key in ("mean", "low", "high"))))
            for decoded in session["decoding"]:
                interval = decoded.get("interval") or {}
                ends = (float(interval.get(key, "nan")) for key in ("low", "high"))
                rows.append((decoded["behaviour"], float(decoded["score"]), *ends))
            picture = bars(rows, "bits/spike of tasks, accuracy or R² of behaviours")
            scores = "bits/spike of tasks, accuracy or R² of behaviours, with 95 % intervals"
            parts.append(_figure(f"{session['eid']}, {session['trials']} test trials: {scores}", picture))
        return "".join(parts)


class Decoding:
    """What was decoded of the test trials of sessions.

    Attributes
    ----------
    scores : dict
        By session and behaviour, as ``neuroglot decode --json`` prints them.
    predictions : pandas.DataFrame
        A row per test trial, and of traces per bin: ``eid``, ``behaviour``, ``trial``, ``trial_id``, ``bin``; of numbers ``value``
        and ``decoded``; of categories ``category``, ``decoded_category`` and the ``probability`` of the latter. A dictionary of
        arrays where pandas is not installed.
    """

    __slots__ = ("predictions", "scores")

    scores: dict[str, dict[str, dict[str, Any]]]
    predictions: pd.DataFrame

    def __init__(self, scores: str, predictions: Mapping[str, list[Any]]) -> None:
        self.scores = json.loads(scores)
        self.predictions = frame(predictions)

    def __repr__(self) -> str:
        lines = []
        for eid, behaviours in self.scores.items():
            for name, values in behaviours.items():
                metric, value = next(iter(values.items()))
                chance = f" (chance {values['chance']:.3f})" if "chance" in values else ""
                lines.append(f"{eid}: {name}, {metric} {'n/a' if value is None else f'{value:.3f}'}{chance}")
        return f"<Decoding\n  {chr(10).join(lines).replace(chr(10), chr(10) + '  ')}>"

    def _repr_html_(self) -> str:
        from neuroglot._pictures import bars

        parts = []
        for eid, behaviours in self.scores.items():
            rows = []
            for name, values in behaviours.items():
                metric = next(iter(values))
                value, low, high = (_number(values.get(key)) for key in (metric, f"{metric}_low", f"{metric}_high"))
                rows.append((name, value, low, high))
            caption = f"{eid}: accuracy or R² of what was decoded of test trials, with 95 % intervals"
            parts.append(_figure(caption, bars(rows, "accuracy or R²")))
        return "".join(parts)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _figure(caption: str, picture: str) -> str:
    from html import escape

    return f"<figure style='margin:0 0 1em'><figcaption>{escape(caption)}</figcaption>{picture}</figure>"


def _mean(scores: Mapping[str, Any] | None) -> float | None:
    mean: float | None = ((scores or {}).get("bps") or {}).get("mean")
    return mean


def _table(rows: list[dict[str, Any]], columns: list[str]) -> Any:
    """A table of rows; further columns are there where any row has a value of them."""
    further = {name for row in rows for name, value in row.items() if value is not None} - set(columns)
    ordered = columns + [name for name in (rows[0] if rows else {}) if name in further]
    return frame({name: [row.get(name) for row in rows] for name in ordered})

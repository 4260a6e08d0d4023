"""What a model has to beat, fitted to the same trials and scored by the same tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroglot import _neuroglot
from neuroglot._progress import Progress, Shown, checked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy.typing as npt

    from neuroglot.evaluation import Evaluation
    from neuroglot.session import Session

__all__ = ["NAMES", "evaluate"]

#: Every baseline.
NAMES: tuple[str, ...] = tuple(_neuroglot.baseline_names())


def evaluate(
    name: str,
    sessions: Session | Sequence[Session] | npt.NDArray[Any],
    tasks: Sequence[str] | None = None,
    *,
    bin_seconds: float = 0.02,
    threads: int = 0,
    progress: Progress = "auto",
) -> Evaluation:
    """Fit a baseline to each session's training trials and score it on its test trials, as ``neuroglot baseline`` does.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    sessions : Session, sequence of Session, or array ``[trial, bin, unit]``
        Sessions, filtered as those of the model that is compared; or spike counts, of which
        :meth:`~neuroglot.Session.from_numpy` makes one and draws the split of trials.
    tasks : sequence of str, optional
        Tasks and behaviours [default: the four tasks and all behaviours].
    bin_seconds : float
        Width of the bins of an array, s.
    threads : int
        Threads of the CPU; 0 takes one per core. Results do not depend on it.
    progress : ``"auto"``, ``"none"`` or function
        How progress is shown.

    Returns
    -------
    Evaluation
    """
    import numpy as np

    from neuroglot.evaluation import Evaluation
    from neuroglot.session import Session

    if isinstance(sessions, np.ndarray):
        sessions = Session.from_numpy(sessions, bin_seconds=bin_seconds)
    chosen = [sessions] if isinstance(sessions, Session) else list(sessions)
    with Shown(checked(progress)) as callback:
        native = _neuroglot.evaluate_baseline(
            name, [session._native for session in chosen], None if tasks is None else list(tasks), threads, callback
        )
    return Evaluation(native)

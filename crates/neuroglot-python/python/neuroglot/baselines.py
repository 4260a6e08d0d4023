"""What a model has to beat, fitted to the same trials and scored by the same tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuroglot import _neuroglot
from neuroglot._progress import Progress, Shown, checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuroglot.evaluation import Evaluation
    from neuroglot.session import Session

__all__ = ["NAMES", "evaluate"]

#: Every baseline.
NAMES: tuple[str, ...] = tuple(_neuroglot.baseline_names())


def evaluate(
    name: str,
    sessions: Session | Sequence[Session],
    tasks: Sequence[str] | None = None,
    *,
    threads: int = 0,
    progress: Progress = "auto",
) -> Evaluation:
    """Fit a baseline to each session's training trials and score it on its test trials, as ``neuroglot baseline`` does.

    Parameters
    ----------
    name : str
        One of :data:`NAMES`.
    sessions : Session or sequence of Session
        Sessions, filtered as those of the model that is compared.
    tasks : sequence of str, optional
        Tasks and behaviours [default: the four tasks and all behaviours].
    threads : int
        Threads of the CPU; 0 takes one per core. Results do not depend on it.
    progress : ``"auto"``, ``"none"`` or function
        How progress is shown.

    Returns
    -------
    Evaluation
    """
    from neuroglot.evaluation import Evaluation
    from neuroglot.session import Session

    chosen = [sessions] if isinstance(sessions, Session) else list(sessions)
    with Shown(checked(progress)) as callback:
        native = _neuroglot.evaluate_baseline(
            name, [session._native for session in chosen], None if tasks is None else list(tasks), threads, callback
        )
    return Evaluation(native)

"""How far the work is: a line in a terminal, a bar in a notebook, nothing elsewhere."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from html import escape
from types import TracebackType
from typing import Any, Literal

Progress = Literal["auto", "none"] | Callable[[str, float], object]

_BAR = 24


def checked(progress: Progress) -> Progress:
    """What to do with progress, if it can be."""
    if progress in ("auto", "none") or callable(progress):
        return progress
    from neuroglot.errors import SettingError

    raise SettingError(f"progress = {progress!r}: it must be 'auto', 'none' or a function of a text and a share")


class Shown:
    """Progress while some work goes on; ``callback`` is what the work is given."""

    def __init__(self, progress: Progress) -> None:
        self._display: Any = None
        self._line = False
        self._started = time.monotonic()
        self.callback: Callable[[str, float], object] | None = None
        if callable(progress):
            self.callback = progress
        elif progress == "auto" and _in_notebook():
            self.callback = self._in_notebook
        elif progress == "auto" and sys.stderr is not None and sys.stderr.isatty():
            self.callback = self._in_terminal

    def __enter__(self) -> Callable[[str, float], object] | None:
        return self.callback

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        if self._display is not None:
            self._display.update(_ipython().HTML(""))

    def _left(self, share: float) -> str:
        elapsed = time.monotonic() - self._started
        if elapsed < 2 or share < 0.01:
            return ""
        seconds = elapsed / share * (1 - share)
        minutes, seconds = divmod(round(seconds), 60)
        return f"  {minutes} min {seconds} s left" if minutes else f"  {seconds} s left"

    def _in_terminal(self, text: str, share: float) -> None:
        done = round(min(max(share, 0.0), 1.0) * _BAR)
        sys.stderr.write(f"\r\x1b[K{'█' * done}{'░' * (_BAR - done)} {text}{self._left(share)}")
        sys.stderr.flush()
        self._line = True

    def _in_notebook(self, text: str, share: float) -> None:
        ipython = _ipython()
        bar = f'<progress value="{share:.3f}" max="1"></progress> {escape(text + self._left(share))}'
        if self._display is None:
            self._display = ipython.display(ipython.HTML(bar), display_id=True)
        else:
            self._display.update(ipython.HTML(bar))


def _ipython() -> Any:
    return importlib.import_module("IPython.display")


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    if ipython is None:
        return False
    shell = ipython.get_ipython()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"

"""What can go wrong. Messages are those of the command: what is wrong, where, and what to do about it."""

from __future__ import annotations

__all__ = [
    "ExistsError",
    "NeuroglotError",
    "NeuroglotWarning",
    "NotFoundError",
    "SessionError",
    "SettingError",
]


class NeuroglotError(Exception):
    """Something cannot be done; the message says why, and what to do."""


class SettingError(NeuroglotError, ValueError):
    """A setting or an argument that cannot be."""


class SessionError(NeuroglotError, ValueError):
    """A session that does not fit to a model, or of which nothing is left."""


class NotFoundError(NeuroglotError, FileNotFoundError):
    """A file or folder that is not there."""


class ExistsError(NeuroglotError, FileExistsError):
    """A file or folder that is there already, and is not replaced."""


class NeuroglotWarning(UserWarning):
    """Something that should be looked at, such as test trials that were seen in training."""

"""Tables: pandas frames where pandas is installed, dictionaries of arrays where it is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def frame(columns: Mapping[str, Sequence[Any]]) -> Any:
    """Make a table of columns; ``None`` is what is missing."""
    import numpy as np

    arrays = {name: _array(np, values) for name, values in columns.items()}
    try:
        import pandas as pd
    except ImportError:
        return arrays
    return pd.DataFrame(arrays)


def _array(np: Any, values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        if len(known) == len(values) and all(isinstance(value, int) for value in known):
            return np.asarray(values, dtype=np.int64)
        return np.asarray([np.nan if value is None else value for value in values], dtype=np.float64)
    if not known and len(values) > 0:
        return np.full(len(values), np.nan)
    if len(known) == len(values) and all(isinstance(value, bool) for value in known):
        return np.asarray(values, dtype=bool)
    return np.asarray(values, dtype=object)

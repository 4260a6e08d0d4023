"""What users give, as the native module takes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neuroglot.errors import SettingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd


def whole(counts: npt.NDArray[Any], trial: int) -> npt.NDArray[np.uint32]:
    """Counts of a trial as whole numbers, if they are."""
    import numpy as np

    if counts.dtype.kind not in "buif":
        raise SettingError(f"counts: they are of type {counts.dtype}, and must be numbers")
    with np.errstate(invalid="ignore"):
        whole = counts.astype("<u4")
    if not (whole == counts).all():
        wrong = counts[whole != counts][0]
        raise SettingError(f"counts: trial {trial} holds {wrong}, and counts are whole numbers from 0 on")
    return np.ascontiguousarray(whole)


def doubles(values: npt.ArrayLike) -> bytes:
    import numpy as np

    return np.ascontiguousarray(values, dtype="<f8").tobytes()


def places(chosen: npt.ArrayLike, available: int, what: str) -> list[int]:
    import numpy as np

    array = np.asarray(chosen)
    if array.dtype == bool:
        if array.shape != (available,):
            raise SettingError(f"{what}: {array.size} truth values for {available}")
        array = np.flatnonzero(array)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise SettingError(f"{what}: give their places, or a truth value for each")
    places = [int(place) + available if place < 0 else int(place) for place in array]
    if any(not 0 <= place < available for place in places):
        raise SettingError(f"{what}: there are {available}, counted from 0")
    return places


def columns(table: Mapping[str, Any] | pd.DataFrame | None) -> dict[str, Any]:
    """Columns as the native module takes them: numbers as bytes, or texts."""
    import numpy as np

    columns: dict[str, Any] = {}
    if table is None:
        return columns
    for name in table.keys():
        values = np.asarray(table[name])
        if values.dtype.kind in "buif":
            columns[str(name)] = doubles(values)
        else:
            columns[str(name)] = ["" if _is_missing(value) else str(value) for value in values]
    return columns


def _is_missing(value: Any) -> bool:
    """Whether a value is none: `None`, NaN, or what pandas has for it, which is neither equal to itself nor different."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:
        return True


def units(
    number: int,
    eid: str,
    regions: Sequence[str | None] | None,
    uuids: Sequence[str] | None,
    depths: npt.ArrayLike | None,
    good: Sequence[bool] | None,
) -> list[dict[str, Any]]:
    import numpy as np

    given = {"regions": regions, "uuids": uuids, "depths": depths, "good": good}
    for name, values in given.items():
        if values is not None and len(np.asarray(values)) != number:
            raise SettingError(f"{name}: {len(np.asarray(values))} are given for {number} units")
    all_depths = [None] * number if depths is None else np.asarray(depths, dtype=np.float64).tolist()
    units = []
    for unit in range(number):
        depth = all_depths[unit]
        units.append(
            {
                "uuid": f"{eid}-{unit}" if uuids is None else str(uuids[unit]),
                "region": None if regions is None or regions[unit] is None else str(regions[unit]),
                "depth": None if depth is None or depth != depth else depth,
                "channel": None,
                "good": None if good is None else bool(good[unit]),
            }
        )
    return units


def description(*, units: list[dict[str, Any]], names: dict[str, str]) -> str:
    return json.dumps({**names, "units": units})


def plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON holds them."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in options.items()}

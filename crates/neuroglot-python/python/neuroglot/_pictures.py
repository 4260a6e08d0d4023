"""Small pictures for notebooks, as SVG: no plotting library is needed."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from neuroglot.session import Session

_STYLE = "font:13px system-ui,sans-serif;display:flex;gap:1em;align-items:flex-start"


def session_card(session: Session, summary: str) -> str:
    """A session in a notebook: its mean rates through the trial, unit by unit, beside its summary."""
    picture = heat_map(session.counts.mean(axis=0).T, 220, 160)
    return (
        f'<div style="{_STYLE}"><figure style="margin:0">{picture}<figcaption>mean counts of each unit through the trial'
        f"</figcaption></figure><pre style='margin:0'>{summary}</pre></div>"
    )


def bars(rows: list[tuple[str, float, float, float]], unit: str) -> str:
    """Named values with their intervals, as bars around 0."""
    known = [value for _, *values in rows for value in values if value == value]
    low, high = min([0.0, *known]), max([0.0, *known])
    scale = 240 / ((high - low) or 1.0)
    parts = []
    for place, (name, value, below, above) in enumerate(rows):
        top = 22 * place
        parts.append(f'<text x="0" y="{top + 14}" fill="currentColor">{escape(name)}</text>')
        if value != value:
            parts.append(f'<text x="150" y="{top + 14}" fill="currentColor">n/a</text>')
            continue
        left, right = sorted((150 + (0 - low) * scale, 150 + (value - low) * scale))
        parts.append(
            f'<rect x="{left:.1f}" y="{top + 3}" width="{right - left:.1f}" height="14" fill="#0072b2"/>'
            f'<text x="400" y="{top + 14}" fill="currentColor">{value:.3f}</text>'
        )
        if below == below and above == above:
            parts.append(
                f'<line x1="{150 + (below - low) * scale:.1f}" x2="{150 + (above - low) * scale:.1f}" y1="{top + 10}" '
                f'y2="{top + 10}" stroke="currentColor" stroke-width="1.5"/>'
            )
    height = 22 * len(rows)
    return (
        f'<svg width="460" height="{height}" viewBox="0 0 460 {height}" style="font:12px system-ui,sans-serif" role="img">'
        f"<title>{escape(unit)}</title>{''.join(parts)}</svg>"
    )


def heat_map(values: npt.NDArray[np.float32], width: int, height: int) -> str:
    """Rows of numbers from white (0) to dark, at most 100 rows and 100 columns of averages."""
    import numpy as np

    rows, columns = (min(size, 100) for size in values.shape)
    blocks = [np.array_split(block, columns, axis=1) for block in np.array_split(values, rows, axis=0)]
    small = np.array([[float(block.mean()) for block in row] for row in blocks])
    largest = small.max() or 1.0
    cell_width, cell_height = width / columns, height / rows
    cells = [
        f'<rect x="{column * cell_width:.2f}" y="{row * cell_height:.2f}" width="{cell_width + 0.3:.2f}" '
        f'height="{cell_height + 0.3:.2f}" fill-opacity="{small[row, column] / largest:.2f}"/>'
        for row in range(rows)
        for column in range(columns)
        if small[row, column] > 0.005 * largest
    ]
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" style="background:#fff" '
        f'fill="#08306b"><title>mean counts</title>{"".join(cells)}</svg>'
    )

"""Small pictures for notebooks, without a plotting library."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
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


def course(metrics: str) -> str:
    """How validation went in training, epoch by epoch: a line of the mean bits/spike over sessions and schemes.

    `metrics` is the text of a run's ``metrics.jsonl``; of one that says nothing of validation there is no picture.
    """
    points = []
    for line in metrics.splitlines():
        epoch = json.loads(line)
        schemes = [scheme for session in (epoch.get("validation") or {}).values() for scheme in session.values()]
        scores = [scheme["bps"] for scheme in schemes if scheme.get("bps") is not None]
        if scores:
            points.append((int(epoch["epoch"]), sum(scores) / len(scores)))
    if len(points) < 2:
        return ""
    (first, _), (last, score) = points[0], points[-1]
    low, high = min(value for _, value in points), max(value for _, value in points)
    across, up = 220 / (last - first or 1), 70 / ((high - low) or 1.0)
    line = " ".join(f"{5 + (epoch - first) * across:.1f},{80 - (value - low) * up:.1f}" for epoch, value in points)
    return (
        '<svg width="300" height="100" viewBox="0 0 300 100" style="font:12px system-ui,sans-serif" role="img">'
        "<title>bits/spike on validation trials through training</title>"
        f'<polyline points="{line}" fill="none" stroke="#0072b2" stroke-width="1.5"/>'
        f'<text x="230" y="{84 - (score - low) * up:.1f}" fill="currentColor">{score:.3f}</text>'
        f'<text x="5" y="97" fill="currentColor">validation bits/spike, epochs {first} to {last}</text></svg>'
    )


def heat_map(values: npt.NDArray[np.float32], width: int, height: int) -> str:
    """Rows of numbers from white (0) to dark blue, averaged to at most 200 rows and 200 columns."""
    import numpy as np

    rows, columns = (min(size, 200) for size in values.shape)
    bands = [band.mean(axis=0) for band in np.array_split(values, rows, axis=0)]
    small = np.stack([block.mean(axis=1) for block in np.array_split(np.stack(bands), columns, axis=1)], axis=1)
    share = np.clip(small / (small.max() or 1.0), 0, 1)[..., None]
    pixels = (255 + share * (np.array([8, 48, 107]) - 255)).astype(np.uint8)
    picture = b64encode(_png(pixels)).decode()
    return (
        f'<img width="{width}" height="{height}" style="image-rendering:pixelated" alt="mean counts of each unit through the '
        f'trial" src="data:image/png;base64,{picture}">'
    )


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An image ``[row, column, colour]`` as PNG (https://www.w3.org/TR/png-3/)."""
    height, width, _ = pixels.shape

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    # Each row begins with how it is filtered: not at all.
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

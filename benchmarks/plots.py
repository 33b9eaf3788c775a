"""Bar charts as small SVG files, readable on a light and on a dark page."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from benchmarks.figures import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.figures import Plot

_WIDTH, _ROW, _TOP, _LEFT, _RIGHT = 760, 24, 46, 230, 90
_OURS, _LIMIT, _OTHERS = "#2f7ed8", "#8a8a8a", "#d9822b"
_FAR_APART = 30.0


def svg(plot: Plot) -> str:
    """Return a chart: cronq in blue, the raw limits in grey, peers in orange, the highest bar first."""
    bars = sorted(plot.bars, key=lambda bar: -bar[1])
    height = _TOP + _ROW * len(bars) + 12
    lengths = _lengths([value for _, value in bars])
    scale = ", logarithmic scale" if _is_wide([value for _, value in bars]) else ""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="13" role="img" aria-label="{escape(plot.title)}">',
        f'<rect width="{_WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
        f'<text x="14" y="26" font-size="15" fill="#222222">{escape(plot.title)} '
        f'<tspan font-size="12" fill="#666666">({escape(plot.unit)}{scale})</tspan></text>',
    ]
    for row, ((name, value), length) in enumerate(zip(bars, lengths, strict=True)):
        lines += _bar(_TOP + row * _ROW, name, value, length)
    return "\n".join([*lines, "</svg>", ""])


def _bar(top: float, name: str, value: float, length: float) -> list[str]:
    middle, end = top + _ROW - 10, _LEFT + length
    return [
        f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end" fill="#222222">{escape(name)}</text>',
        f'<rect x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_ROW - 7}" rx="2" fill="{_colour(name)}"/>',
        f'<text x="{end + 6:.1f}" y="{middle}" fill="#444444">{number(value)}</text>',
    ]


def _lengths(values: Sequence[float]) -> list[float]:
    room = _WIDTH - _LEFT - _RIGHT
    top = max(values, default=0.0)
    if not _is_wide(values):
        return [max(1.0, room * value / top) if top else 1.0 for value in values]
    low = min(value for value in values if value > 0) / 2
    return [max(1.0, room * math.log(value / low) / math.log(top / low)) if value > low else 1.0 for value in values]


def _is_wide(values: Sequence[float]) -> bool:
    above = [value for value in values if value > 0]
    return bool(above) and max(above) / min(above) > _FAR_APART


def _colour(name: str) -> str:
    if name.startswith("cronq"):
        return _OURS
    return _LIMIT if name.startswith(("raw", "python")) else _OTHERS

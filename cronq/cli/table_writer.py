"""The one writer of tables: rows of cells in, lines out, at most so wide. It knows no terminal and no colour."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from cronq.cli.terminal import cells, cut_left, cut_right
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP = "  "


class Fit(Enum):
    """How a column behaves when not everything fits."""

    WHOLE = auto()
    """Is never cut: ids, states, ages."""
    NUMBER = auto()
    """Is never cut, and stands on the right."""
    NAME = auto()
    """Is cut on the left: the end of a dotted name tells it from others."""
    TEXT = auto()
    """Is cut on the right."""


# What gives way until a line fits, and how far: the longest of such columns first.
_WAYS = ((Fit.TEXT, 30), (Fit.NAME, 20), (Fit.TEXT, 12), (Fit.NAME, 10), (Fit.TEXT, 4), (Fit.NAME, 4))


def lay_out(rows: Sequence[Sequence[str]], kinds: Sequence[Fit], width: int | None = None) -> list[str]:
    """Return rows as lines of aligned columns, none of them wider than `width`, where there is one."""
    shown = [tuple(map(escaped, row)) for row in rows]
    widths = [max(map(cells, column)) for column in zip(*shown, strict=True)]
    if width is not None:
        widths = _fitted(widths, kinds, width)
    lines = [_line(row, kinds, widths) for row in shown]
    return lines if width is None else [cut_right(line, width) for line in lines]


def _fitted(widths: Sequence[int], kinds: Sequence[Fit], width: int) -> list[int]:
    fitted = [min(one, width) for one in widths]
    room = width - len(_GAP) * (len(widths) - 1)
    for kind, least in _WAYS:
        places = [place for place, one in enumerate(kinds) if one is kind]
        while sum(fitted) > room:
            widest = max(places, key=fitted.__getitem__, default=None)
            if widest is None or fitted[widest] <= least:
                break
            fitted[widest] -= 1
    return fitted


def _line(row: Sequence[str], kinds: Sequence[Fit], widths: Sequence[int]) -> str:
    return _GAP.join(map(_cell, row, kinds, widths)).rstrip()


def _cell(text: str, kind: Fit, width: int) -> str:
    shown = cut_left(text, width) if kind is Fit.NAME else cut_right(text, width)
    padding = " " * (width - cells(shown))
    return padding + shown if kind is Fit.NUMBER else shown + padding

"""The terminal that a person looks at: how wide it is, and how many of its cells a text takes."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata

_USUAL = (80, 24)


def line_width() -> int | None:
    """Return how many cells a line may take. None where nothing bounds it: a file or a program reads.

    `COLUMNS` says it wherever the output goes, so `watch` and a person with a pager can.
    """
    given = os.environ.get("COLUMNS", "")
    is_given = given.isascii() and given.isdecimal() and int(given) > 0
    return shutil.get_terminal_size(_USUAL).columns if is_given or sys.stdout.isatty() else None


def cells(text: str) -> int:
    """Return how many cells a printable text takes: two for wide characters and emoji, none for combining ones."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def cut_left(text: str, width: int) -> str:
    """Return text in `width` cells, with `…` for what is left out at its beginning."""
    return text if cells(text) <= width else "…" + _beginning(text[::-1], width - 1)[::-1]


def cut_right(text: str, width: int) -> str:
    """Return text in `width` cells, with `…` for what is left out at its end."""
    return text if cells(text) <= width else _beginning(text, width - 1) + "…"


def _beginning(text: str, width: int) -> str:
    taken = 0
    for number, character in enumerate(text):
        taken += _cells_of(character)
        if taken > width:
            return text[:number]
    return text


def _cells_of(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1

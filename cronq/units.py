"""Sizes and times as people give them, turned into the numbers that cronq keeps."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_IN_KB = {"K": 1, "M": 1024, "G": 1024 * 1024}
SIZES = 'text with K, M or G, such as "512M" or "1.5G"'


def megabytes(given: object) -> int:
    """Return the MB that are meant: a whole number of them, or text such as `"512M"`, `"1.5G"` and `"800000K"`.

    A K are 1024 bytes, an M 1024 K, a G 1024 M; `KB` and `KiB` are the same. What is less than a MB is left out.

    Raises:
        ValueError: it is neither.

    """
    if isinstance(given, str):
        return _from_text(given.strip().upper())
    if isinstance(given, bool) or not isinstance(given, int):
        raise ValueError
    return given


def in_seconds(given: Any) -> Any:
    """Return a timedelta as its seconds, and anything else as it is, for whoever checks it."""
    return given.total_seconds() if hasattr(given, "total_seconds") else given


def _from_text(text: str) -> int:
    for ending in ("IB", "B"):
        if text[-len(ending) - 1 : -len(ending)] in _IN_KB:
            text = text.removesuffix(ending)
            break
    number, unit = (text[:-1].strip(), text[-1:]) if text[-1:] in _IN_KB else (text, "")
    digits = number.replace(".", "", 1) if unit else number
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 15):
        raise ValueError
    return int(float(number) * _IN_KB[unit]) // 1024 if unit else int(number)

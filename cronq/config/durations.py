"""Durations as people write them, turned into seconds and back."""

from __future__ import annotations

from cronq.config.complaint_words import show

HELP = 'write seconds (90), "90s", "10m", "2h", "1d", "1h30m" or ISO 8601 such as "PT10M"'
NOT_A_NUMBER = float("nan")
DATE_UNITS = (("w", 604800), ("d", 86400))
TIME_UNITS = (("h", 3600), ("m", 60), ("s", 1))


def parse_duration(given: object) -> float:
    """Return the seconds that `given` stands for: a number, or text such as `"1h30m"` and `"P1DT2H"`.

    Raises:
        ValueError: it is no duration, or negative, infinite or a truth value; the text says what to write.

    """
    seconds = _seconds(given)
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{show(given)} is not a duration: {HELP}")
    return seconds


def format_duration(seconds: float) -> str:
    """Return `seconds` in the shortest form that `parse_duration` reads back, such as `"1h30m"`."""
    rest = round(seconds * 1e6)
    text = ""
    for unit, size in DATE_UNITS[1:] + TIME_UNITS[:-1]:
        count, rest = divmod(rest, size * 1_000_000)
        text += f"{count}{unit}" if count else ""
    if rest or not text:
        text += f"{rest / 1e6:.6f}".rstrip("0").rstrip(".") + "s"
    return text


def _seconds(given: object) -> float:
    if isinstance(given, str):
        return _from_text(given.strip().lower())
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        return NOT_A_NUMBER
    try:
        return float(given)
    except OverflowError:
        return NOT_A_NUMBER


def _from_text(text: str) -> float:
    if text.startswith("p"):
        return _from_iso(text[1:].replace(",", "."))
    return _from_units(text, DATE_UNITS + TIME_UNITS) if text[-1:].isalpha() else _number(text)


def _from_iso(text: str) -> float:
    """Months and years are refused: they have no fixed length."""
    date, has_time, time = text.partition("t")
    seconds = _from_units(date, DATE_UNITS) if date or not has_time else 0.0
    return seconds + _from_units(time, TIME_UNITS) if has_time else seconds


def _from_units(text: str, units: tuple[tuple[str, int], ...]) -> float:
    """Return the sum of `text`, whose units come each at most once and the long ones first."""
    total = 0.0 if text else NOT_A_NUMBER
    for unit, size in units:
        count, found, rest = text.partition(unit)
        if found:
            total += _number(count) * size
            text = rest
    return NOT_A_NUMBER if text.strip() else total


def _number(text: str) -> float:
    digits = text.strip()
    is_number = digits.isascii() and digits.replace(".", "", 1).isdecimal()
    return float(digits) if is_number else NOT_A_NUMBER

"""Values of options, as they are written in code: refused where they stand, with what would be right."""

from __future__ import annotations

from cronq.errors import OptionError

DAY_S = 86400


def check_seconds(name: str, value: object, most: float, wants: str, *, above_0: bool = False) -> None:
    """Raise OptionError for what is no number of seconds from 0 to `most`; `wants` says what it must be."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        hint = ": write .total_seconds() behind it" if hasattr(value, "total_seconds") else ', such as 60, not "60s"'
        raise OptionError(f"{name} = {value!r}: must be a number of seconds{hint}")
    if not 0 <= value <= most or (above_0 and not value):
        raise OptionError(f"{name} = {value!r}: must be {wants}")


def check_flag(name: str, value: object) -> None:
    """Raise OptionError for what is neither True nor False."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} = {value!r}: must be True or False")


def check_queue(value: object) -> None:
    """Raise OptionError for what can be no queue."""
    if value is not None and (not isinstance(value, str) or not value):
        raise OptionError(f'queue = {value!r}: must be the name of a queue, such as "high"')

"""Values of options, as they are written in code: refused where they stand, with what would be right."""

from __future__ import annotations

from cronq.errors import OptionError
from cronq.messages.own_headers import PREFIX

DAY_S = 86400
LONGEST_S = 3650 * DAY_S


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


def check_queues(value: object) -> None:
    """Raise OptionError for what is neither a queue nor several different ones."""
    if not isinstance(value, list | tuple):
        check_queue(value)
        return
    for one in value:
        check_queue("" if one is None else one)
    if not value or len(set(value)) < len(value):
        raise OptionError(f'queue = {value!r}: must be a queue, or different ones, such as ("high", "audit")')


def check_priority(value: object) -> None:
    """Raise OptionError for what can be no priority."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 1_000_000:
        raise OptionError(f"priority = {value!r}: must be a whole number from -1000000 to 1000000")


def check_expiry(value: object) -> None:
    """Raise OptionError for what cannot be the seconds after which a message is no longer run."""
    if value is not None:
        check_seconds("expires_s", value, LONGEST_S, "seconds, more than 0", above_0=True)


def check_timeout(value: object) -> None:
    """Raise OptionError for what cannot be the seconds that an attempt may take."""
    if value is not None:
        check_seconds("timeout_s", value, 7 * DAY_S, "seconds, more than 0 and at most a week", above_0=True)


def check_headers(given: object) -> None:
    """Raise OptionError for what is not text by name."""
    if given is None:
        return
    pairs = given.items() if hasattr(given, "items") else [(given, None)]
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            raise OptionError(f'headers = {given!r}: must be text by name, such as {{"user": "ada"}}')
        if name.startswith(PREFIX):
            raise OptionError(f"headers: {name!r}: names that begin with {PREFIX!r} are cronq's own")


def check_moment(value: object) -> None:
    """Raise OptionError for what is no datetime, or one that is another moment in every time zone."""
    if value is None:
        return
    from datetime import datetime

    if not isinstance(value, datetime):
        raise OptionError(f"at = {value!r}: must be a datetime; delay_s= takes seconds and timedeltas")
    if value.utcoffset() is None:
        raise OptionError(f"at = {value!r}: must have a time zone, such as {value.isoformat(' ')}+00:00 in UTC")

"""The last failed attempts at a message, kept with it for the person who looks at the failure queue."""

from __future__ import annotations

from typing import NamedTuple

KEPT = 10
TEXT_LENGTH = 500  # characters of an error's text; the whole traceback of the last attempt is kept beside this

# What stands where the name of an exception class stands, when it was none that ended an attempt.
CONSUMER_DIED = "ConsumerDied"
EXPIRED = "Expired"


class Cause(NamedTuple):
    """What ended an attempt, in parts that programs can use: the exception's class, its text, how long it had run."""

    error_class: str
    text: str
    took_s: float | None = None


class Attempt(NamedTuple):
    """One attempt that failed: when it ended, where, after how long, and why."""

    attempt: int
    at: float
    host: str
    slot: str
    took_s: float | None
    error_class: str | None
    error: str


def failed_attempt(number: int, error: str, cause: Cause | None, holder: str, now: float) -> Attempt:
    """Return what is remembered of attempt `number`, made by `holder` and ended just now."""
    host, _, rest = holder.partition("/")
    return Attempt(
        number,
        round(now, 3),
        host,
        rest.partition("/")[0],
        None if cause is None or cause.took_s is None else round(cause.took_s, 3),
        cause.error_class if cause else None,
        (cause.text if cause else error)[:TEXT_LENGTH],
    )


def appended(stored: str | None, latest: Attempt) -> str:
    """Return the stored history with one more attempt at its end, and the oldest dropped beyond KEPT."""
    import json

    return json.dumps([entry._asdict() for entry in [*read(stored), latest][-KEPT:]], separators=(",", ":"))


def read(stored: str | None) -> tuple[Attempt, ...]:
    """Return a stored history. What cannot be read is no reason to hide the message it belongs to."""
    if not stored:
        return ()
    import json

    try:
        return tuple(Attempt(**entry) for entry in json.loads(stored))
    except (ValueError, TypeError):
        return ()

"""The last failed attempts at a message, kept with it for the person who looks at the failure queue."""

from __future__ import annotations

from cronq.namedtuple import NamedTuple

KEPT = 10
TEXT_LENGTH = 500  # characters of an error's text; the whole traceback of the last attempt is kept beside this
OUTPUT_LENGTH = 2000  # characters of what an attempt printed: the last ones

# What stands where the name of an exception class stands, when it was none that ended an attempt.
KILLED = "Killed"  # its process was ended by a signal, or crashed
OUT_OF_MEMORY = "OutOfMemory"  # as KILLED, and what is known of its memory explains it
TIMED_OUT = "TaskTimeout"  # the exception's name, also where it had to be killed for that
STOPPED = "TaskStopped"  # the exception's name, also where it was killed for that, or not started again
HOST_RESTARTED = "HostRestarted"
HOST_GONE = "HostGone"  # another host's reservation lapsed
EXPIRED = "Expired"


class Cause(NamedTuple):
    """What ended an attempt, in parts that programs can use: the exception's class, its text, how long it had run.

    `peak_mb` is the most memory that its process had until then: all of its life for a consumer, this attempt alone
    for an isolated one. `output` is the end of what it printed, if that was captured.
    """

    error_class: str
    text: str
    took_s: float | None = None
    peak_mb: float | None = None
    output: str = ""


class Attempt(NamedTuple):
    """One attempt that failed: when it ended, where, after how long, and why."""

    attempt: int
    at: float
    host: str
    slot: str
    took_s: float | None
    error_class: str | None
    error: str
    peak_mb: float | None = None
    output: str = ""


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
        None if cause is None or cause.peak_mb is None else round(cause.peak_mb, 1),
        cause.output[-OUTPUT_LENGTH:] if cause else "",
    )


def appended(stored: str | None, latest: Attempt) -> str:
    """Return the stored history with one more attempt at its end, and the oldest dropped beyond KEPT."""
    import json

    return json.dumps([entry._asdict() for entry in [*read(stored), latest][-KEPT:]], separators=(",", ":"))


def read(stored: str | None) -> tuple[Attempt, ...]:
    """Return a stored history. What cannot be read is no reason to hide the message it belongs to.

    An older release wrote fewer fields, a newer one may have written more.
    """
    if not stored:
        return ()
    import json

    known = set(Attempt._fields)
    try:
        return tuple(
            Attempt(**{name: value for name, value in entry.items() if name in known}) for entry in json.loads(stored)
        )
    except (ValueError, TypeError, AttributeError):
        return ()

"""Schedules as transports keep them, and what becomes of one when it is declared, fires, or a run of it ends. Pure."""

from __future__ import annotations

from enum import StrEnum

from cronq.messages.message import Ack, Fail, Message, Outcome
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JUST_NOW_S = 60.0  # between placing a schedule and storing it
CLOCK_WAS_WRONG_S = 86400.0  # by which no clock is corrected that was right before
CODE, CONFIG, RUNTIME = "code", "config", "runtime"  # who declares schedules
DONE, FAILED = "done", "failed"
HEADER = "schedule"
_IN_HEADERS = f'"{HEADER}"'.encode()


class StoredSchedule(NamedTuple):
    """A schedule as the transport keeps it.

    `source` says who declared it: the project's `code`, its `config`, or a program at `runtime`.
    `spec` is JSON: task, cron, what was written for that, tz, args, missed, queue, max_attempts, overlap, terms,
    delivery and follow.
    `declared` is what its source said, to see whether that has changed; `timing` the part that decides when it is due.
    `next_at` None: never, because it was `refused`, for the reason there, or has stopped at `stopped_at`, after
    `stop_after` (0: never) `failures` in a row.
    `last_at` and `last_message_id` tell of the last run that was enqueued, `last_result` and `last_error` (a class)
    of the last one that ended, None when none has since; `skipped` counts those since that an earlier one kept from
    being enqueued.
    """

    source: str
    name: str
    declared: str
    timing: str
    spec: bytes
    next_at: float | None
    refused: str | None = None
    last_at: float | None = None
    last_message_id: str | None = None
    stop_after: int = 0
    failures: int = 0
    skipped: int = 0
    last_result: str | None = None
    last_error: str | None = None
    stopped_at: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others: each source has its own names."""
        return self.source, self.name

    def is_due(self, now: float) -> bool:
        return self.next_at is not None and self.next_at <= now

    @property
    def trouble(self) -> str | None:
        """What a person must do about it: it was refused, or has stopped."""
        if self.refused is not None or self.stopped_at is None:
            return self.refused
        runs = "1 failed run" if self.failures == 1 else f"{self.failures} failed runs in a row"
        why = f" ({self.last_error})" if self.last_error else ""
        resume = f"`cronq schedule resume {self.name}` when that is mended"
        return f"schedule {self.name}: has stopped after {runs}{why}: {resume}"


class Firing(NamedTuple):
    """A due schedule: its messages, and when it is due next. Without messages the missed runs are dropped.

    Unless it `overlaps`, nothing is enqueued while the message of its last run waits or is run.
    """

    schedule: StoredSchedule
    next_at: float | None
    messages: Sequence[Message]
    overlaps: bool = False


class Fired(StrEnum):
    """How a firing went: its messages are in their queues; there were none; the last run goes on; others fired it."""

    ENQUEUED = "enqueued"
    DROPPED = "dropped"
    SKIPPED = "skipped"
    BEATEN = "beaten"


def redeclared(old: StoredSchedule | None, new: StoredSchedule, now: float) -> StoredSchedule:
    """Return a schedule as it is to be stored: one that is due at the same times as before keeps its place in them.

    Unless that place was found by a clock that was far ahead: then it would wait for that day. One that has stopped
    stays so until its source declares it otherwise than before.
    """
    if old is None:
        return new
    ran = new._replace(
        last_at=old.last_at,
        last_message_id=old.last_message_id,
        last_result=old.last_result,
        last_error=old.last_error,
        skipped=old.skipped,
    )
    is_same = old.declared == new.declared
    if is_same:
        ran = ran._replace(failures=old.failures)
    if new.refused is not None:
        return ran
    if is_same and old.stopped_at is not None:
        return ran._replace(next_at=None, stopped_at=old.stopped_at)
    if old.timing != new.timing or old.next_at is None or is_of_wrong_clock(old, new, now):
        return ran
    return ran._replace(next_at=old.next_at)


def is_of_wrong_clock(old: StoredSchedule, new: StoredSchedule, now: float) -> bool:
    """Tell whether a stored schedule was placed in time, or run, by a clock that was ahead.

    `new` is the same one, placed just now: no later time can be its next, unless it was run meanwhile.
    """
    if old.last_at is not None and old.last_at > now - JUST_NOW_S:
        return old.last_at > now + CLOCK_WAS_WRONG_S
    return old.next_at is not None and new.next_at is not None and old.next_at > new.next_at + JUST_NOW_S


def schedule_name(message: Message) -> str | None:
    """Return the name of the schedule whose run a message is. Most are none, which costs them one look."""
    return _name_in(message.headers)


def _name_in(headers: bytes) -> str | None:
    if _IN_HEADERS not in headers:
        return None
    import json

    try:
        name = json.loads(headers).get(HEADER)
    except (ValueError, AttributeError):  # headers of somebody else's making must not keep a message from ending
        return None
    return name if isinstance(name, str) else None


def of_schedule(headers: bytes, rename: Callable[[str], str]) -> bytes:
    """Return the headers of a run with another name of its schedule; those of any other message as they are."""
    name = _name_in(headers)
    if name is None:
        return headers
    import json

    return json.dumps({**json.loads(headers), HEADER: rename(name)}).encode()


def fired(
    one: StoredSchedule, firing: Firing, goes_on: Callable[[str], bool], now: float
) -> tuple[StoredSchedule, Fired]:
    """Return the schedule after a firing, and how that went; `goes_on` tells whether a message waits or is run.

    One that was refused or has stopped may be run by a person, and rests as before.
    """
    moved = one if one.next_at is None else one._replace(next_at=firing.next_at)
    if not firing.messages:
        return moved, Fired.DROPPED
    if not firing.overlaps and one.last_message_id is not None and goes_on(one.last_message_id):
        return moved._replace(skipped=one.skipped + len(firing.messages)), Fired.SKIPPED
    last_id = firing.messages[-1].id
    ran = moved._replace(last_at=now, last_message_id=last_id, skipped=0, last_result=None, last_error=None)
    return ran, Fired.ENQUEUED


def ended(one: StoredSchedule, outcome: Outcome, now: float) -> StoredSchedule:
    """Return the schedule after a run of it has ended so; one that is only released goes on."""
    if isinstance(outcome, Ack):
        return one._replace(failures=0, last_result=DONE, last_error=None)
    if not isinstance(outcome, Fail):
        return one
    error = outcome.cause.error_class if outcome.cause else None
    failed = one._replace(failures=one.failures + 1, last_result=FAILED, last_error=error)
    if one.stop_after and failed.failures >= one.stop_after and one.stopped_at is None and one.refused is None:
        return failed._replace(next_at=None, stopped_at=now)
    return failed

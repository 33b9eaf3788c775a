"""A schedule: what runs again and again, and when. Pure; `times` imports croniter and zoneinfo."""

from __future__ import annotations

from itertools import islice, takewhile
from types import MappingProxyType

from cronq.errors import UsageError
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal, TypedDict

    Missed = Literal["skip", "once", "all"]

    class ScheduleOptions(TypedDict, total=False):
        """What may be said of a schedule beside its task, its times and its arguments; see `Schedule`."""

        tz: str
        missed: Missed
        queue: str | None
        overlap: bool
        stop_after: int | None


MISSED: tuple[Missed, ...] = ("once", "skip", "all")  # as in config/settings.py
UTC = "UTC"
ALL_AT_MOST = 100  # runs made up for after an outage, the oldest first; the rest is dropped
STOP_AFTER_AT_MOST = 1000
ON_TIME_S = 120.0
_WINDOWS_S = (60.0, 3600.0, 86400.0, 32 * 86400.0)


_DECLARED_FIRST = ("name", "task", "cron", "tz", "args", "missed", "queue", "overlap", "stop_after")
"""Fields in the order in which every release writes them into `declared`. Nothing is ever added here."""


class Schedule(NamedTuple):
    """One recurring call of a task. `args` are arguments by name; `queue` None: the task's own.

    `missed` tells what becomes of due times that nobody saw: dropped, made up for by one run, or by one run each.
    While its last message waits or is run, no other is enqueued, unless `overlap` allows it. After `stop_after` runs
    in a row that failed for good it stops, until a person resumes it; None: never.
    The time zone is UTC unless named: what a web process, cron and a shell have as local time differs too often.

    A new field stands at the end, has a default, and is checked in `validated`; `ScheduleOptions` and the key in
    `config/keys.py` let it be said. It is stored and shown without being named anywhere else.
    """

    name: str
    task: str
    cron: str
    tz: str = UTC
    args: Mapping[str, object] = MappingProxyType({})
    missed: Missed = "once"
    queue: str | None = None
    overlap: bool = False
    stop_after: int | None = None

    @property
    def overlaps(self) -> bool:
        """Whether runs may go on side by side: when asked for, and where every run is to be made up for."""
        return self.overlap or self.missed == "all"

    @property
    def timing(self) -> Timing:
        """What decides when it is due; a change of anything else leaves the next time as it is."""
        return Timing(self.cron, self.tz)

    @property
    def declared(self) -> str:
        """Everything it says, as text to compare: writing JSON would cost an idle tick 4 ms.

        A field that an older release did not have counts only where it says something. Otherwise an upgrade would
        take every schedule for a changed one: those that have stopped would go on, their failures forgotten.
        """
        said = {**self._asdict(), "args": sorted(self.args.items())}
        first = tuple(said.pop(name) for name in _DECLARED_FIRST)
        added = {name: value for name, value in said.items() if value != self._field_defaults[name]}
        return repr((first, added)) if added else repr(first)


class Timing(NamedTuple):
    """When a schedule is due, as it is stored beside the rest: text that is read without JSON, by consumers, often."""

    cron: str
    tz: str

    def __str__(self) -> str:
        return f"{self.cron} {self.tz}"

    @classmethod
    def read(cls, text: str) -> Timing:
        """Return what `str` wrote. No name of a zone has a space."""
        cron, _, tz = text.rpartition(" ")
        return cls(cron, tz)


def validated(schedule: Schedule) -> Schedule:
    """Return the schedule. Raises UsageError, with the reason, for one that cannot be kept."""
    if schedule.missed not in MISSED:
        raise UsageError(f"schedule {schedule.name}: missed = {schedule.missed!r}: must be one of {', '.join(MISSED)}")
    if schedule.stop_after is not None and schedule.stop_after not in range(1, STOP_AFTER_AT_MOST + 1):
        raise UsageError(
            f"schedule {schedule.name}: stop_after = {schedule.stop_after!r}: must be a number of runs from 1 to "
            f"{STOP_AFTER_AT_MOST}, or None"
        )
    next_at(resolved(schedule), 0.0)
    return schedule


def resolved(schedule: Schedule, place: str = "") -> Schedule:
    """Return it with its `H` fields turned into numbers: its own in this installation, and always the same.

    Raises UsageError for one that is wrong.
    """
    from cronq.schedules.expression import resolve

    try:
        return schedule._replace(cron=resolve(schedule.cron, f"{place} {schedule.name}"))
    except ValueError as error:
        raise UsageError(f"schedule {schedule.name}: cron = {schedule.cron!r}: {error}") from None


def next_at(schedule: Schedule, after: float) -> float:
    """Return the first time the schedule is due after `after`. Raises UsageError where there is none."""
    from cronq.schedules.times import times

    return next(times(schedule.name, schedule.cron, schedule.tz, after))


def due(schedule: Schedule, last_at: float, now: float, on_time_s: float = ON_TIME_S) -> tuple[float, ...]:
    """Return the due times after `last_at` that are to be run now: none while `now` is before the next one.

    With `skip` the latest one, unless it is more than `on_time_s` ago; with `once` the latest one;
    with `all` each of them, at most ALL_AT_MOST.
    """
    if next_at(schedule, last_at) > now:
        return ()
    if schedule.missed == "all":
        return tuple(islice(_between(schedule, last_at, now), ALL_AT_MOST))
    latest = _latest(schedule, last_at, now)
    return () if schedule.missed == "skip" and now - latest > on_time_s else (latest,)


def _latest(schedule: Schedule, last_at: float, now: float) -> float:
    """Return the last due time up to `now`; there is one. An outage of a month is not walked through by the minute."""
    for window_s in _WINDOWS_S:
        found = list(_between(schedule, max(last_at, now - window_s), now))
        if found:
            return found[-1]
    return list(_between(schedule, last_at, now))[-1]


def _between(schedule: Schedule, after: float, now: float) -> Iterator[float]:
    from cronq.schedules.times import times

    return takewhile(lambda at: at <= now, times(schedule.name, schedule.cron, schedule.tz, after))

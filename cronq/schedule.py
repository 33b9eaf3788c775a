"""A schedule: what runs again and again, and when. Pure; croniter and zoneinfo are imported by `cronq.cron_times`.

No `from __future__ import annotations` here: the tick reads schedules from the configuration (see config/settings.py).
"""

from collections.abc import Iterator, Mapping
from itertools import islice, takewhile
from types import MappingProxyType
from typing import Literal, NamedTuple

from cronq.errors import UsageError

Missed = Literal["skip", "once", "all"]
MISSED: tuple[Missed, ...] = ("once", "skip", "all")  # as in config/settings.py
UTC = "UTC"
ALL_AT_MOST = 100  # runs made up for after an outage, the oldest first; the rest is dropped
ON_TIME_S = 120.0
_WINDOWS_S = (3600.0, 86400.0, 32 * 86400.0)


class Schedule(NamedTuple):
    """One recurring call of a task. `args` are arguments by name; `queue` None: the task's own.

    `missed` tells what becomes of due times that no tick saw: dropped, made up for by one run, or by one run each.
    The time zone is UTC unless named: what a web process, cron and a shell have as local time differs too often.
    """

    name: str
    task: str
    cron: str
    tz: str = UTC
    args: Mapping[str, object] = MappingProxyType({})
    missed: Missed = "once"
    queue: str | None = None

    @property
    def timing(self) -> str:
        """What decides when it is due; a change of anything else leaves the next time as it is."""
        return f"{self.cron} {self.tz}"

    @property
    def declared(self) -> str:
        """Everything it says, as text to compare: writing JSON would cost an idle tick 4 ms."""
        return repr((*self[:4], sorted(self.args.items()), *self[5:]))


def validated(schedule: Schedule) -> Schedule:
    """Return the schedule. Raises UsageError, with the reason, for one that cannot be kept."""
    if schedule.missed not in MISSED:
        raise UsageError(f"schedule {schedule.name}: missed = {schedule.missed!r}: must be one of {', '.join(MISSED)}")
    next_at(schedule, 0.0)
    return schedule


def next_at(schedule: Schedule, after: float) -> float:
    """Return the first time the schedule is due after `after`. Raises UsageError where there is none."""
    from cronq.cron_times import times

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
    from cronq.cron_times import times

    return takewhile(lambda at: at <= now, times(schedule.name, schedule.cron, schedule.tz, after))

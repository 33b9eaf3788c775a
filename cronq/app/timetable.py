"""The schedules of an app: what `@app.cron` marked, and how a consumer makes them known to the tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import CronqError, UsageError
from cronq.schedule import Schedule, validated
from cronq.supervisor.recurring import CODE, CONFIG, declare, placed, to_store
from cronq.task import Task, name_of
from cronq.transports.base import CLOCK_WAS_WRONG_S, StoredSchedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.app.application import App


class Timetable:
    """Schedules by name. `@app.cron` may stand below `@app.task`: then it waits here until the function is a task."""

    def __init__(self) -> None:
        self._schedules: dict[str, Schedule] = {}
        self._waiting: dict[Callable[..., Any], list[Schedule]] = {}

    def add(self, marked: Task[..., Any] | Callable[..., Any], schedule: Schedule) -> None:
        """Take a schedule whose name is that of its task when it has none. Raises UsageError with the reason."""
        if isinstance(marked, Task):
            self._put(marked, schedule)
        else:
            _named(schedule, name_of(marked))
            self._waiting.setdefault(marked, []).append(schedule)

    def claim(self, task: Task[..., Any]) -> None:
        """Take the schedules that wait for this task's function."""
        for schedule in self._waiting.pop(task.function, ()):
            self._put(task, schedule)

    def all(self) -> Sequence[Schedule]:
        """Return every schedule. Raises UsageError for a function that was never made a task."""
        for function in self._waiting:
            raise UsageError(f"{name_of(function)} has @app.cron and is no task: put @app.task above it as well")
        return tuple(self._schedules.values())

    def _put(self, task: Task[..., Any], schedule: Schedule) -> None:
        new = _named(schedule, task.name)
        if self._schedules.setdefault(new.name, new) != new:
            raise UsageError(f"two schedules are named {new.name}: give one of them @app.cron(..., name=...)")


def _named(schedule: Schedule, task: str) -> Schedule:
    return validated(schedule._replace(task=task, name=schedule.name or task))


def register(app: App) -> list[StoredSchedule]:
    """Make the schedules of code and configuration known to the tick, and return what is known now.

    A consumer does this when it starts: it alone has imported the tasks, knows their queues, and sees wrong arguments.
    """
    stored = app.transport.schedules()
    for source, schedules in ((CODE, app.timetable.all()), (CONFIG, app.settings.schedules)):
        new = [_checked(app, source, schedule) for schedule in schedules]
        if _differ(new, [one for one in stored if one.source == source], app.clock.now()):
            declare(app.transport, source, placed_all(app, new, schedules))
    return app.transport.schedules()


def entries(app: App) -> list[StoredSchedule]:
    """Return all schedules as they would be stored, those that cannot work with the reason; nothing is written."""
    found = []
    for source, schedules in ((CODE, app.timetable.all()), (CONFIG, app.settings.schedules)):
        found += placed_all(app, [_checked(app, source, schedule) for schedule in schedules], schedules)
    return found


def placed_all(app: App, new: Sequence[StoredSchedule], schedules: Sequence[Schedule]) -> list[StoredSchedule]:
    """Return new entries with their next times."""
    now = app.clock.now()
    return [placed(one, schedule, now) for one, schedule in zip(new, schedules, strict=True)]


def _checked(app: App, source: str, schedule: Schedule) -> StoredSchedule:
    """Return a schedule with its queue and its arguments as messages have them; refused when they do not fit."""
    try:
        task = app.registry.get(schedule.task)
        queue = app.queue_for(task, schedule.queue)
        body = task.codec.encode((), schedule.args)
    except CronqError as error:
        reason = f"schedule {schedule.name}: {error}"
        return to_store(source, schedule, schedule.args, schedule.queue or "normal", 1)._replace(refused=reason)
    import json

    return to_store(source, schedule, json.loads(body), queue, app.policy(task, queue).max_attempts)


def _differ(new: Sequence[StoredSchedule], stored: Sequence[StoredSchedule], now: float) -> bool:
    """Tell whether anything is to be written. Without that a consumer need not import croniter."""

    def said(one: StoredSchedule) -> tuple[object, ...]:
        return one.name, one.declared, one.timing, one.spec

    if sorted(map(said, new), key=str) != sorted(map(said, stored), key=str):
        return True
    refused = {one.name for one in new if one.refused is not None}
    was_ahead = any(one.last_at is not None and one.last_at > now + CLOCK_WAS_WRONG_S for one in stored)
    return was_ahead or refused != {one.name for one in stored if one.next_at is None}

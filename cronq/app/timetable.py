"""The schedules of an app: what `@app.cron` marked, and how a consumer makes them known to the tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from cronq.app.call_terms import terms_for
from cronq.errors import CronqError, UsageError
from cronq.schedules.schedule import Schedule, validated
from cronq.schedules.spec import followed_by, installation_of, placed, schedule_of, to_store, under_terms
from cronq.schedules.stored import CLOCK_WAS_WRONG_S, CODE, CONFIG, RUNTIME, StoredSchedule
from cronq.supervisor.schedule_runner import declare
from cronq.tasks.task import Delivery, Task, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.app.application import App
    from cronq.schedules.schedule import Missed
    from cronq.tasks.terms import Terms


class ScheduleOptions(TypedDict, total=False):
    """What may be said of a schedule beside its task, its times and its arguments; see `Schedule`."""

    tz: str
    missed: Missed
    queue: str | None
    overlap: bool
    stop_after: int | None


def made(name: str, task: str, cron: str, args: Mapping[str, object] | None, options: ScheduleOptions) -> Schedule:
    """Return a schedule of what a program says. Raises UsageError for an option that there is not."""
    try:
        return Schedule(name, task, cron, args=dict(args or {}), **options)
    except TypeError as error:
        raise UsageError(f"schedule {name}: {error}") from None


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
    for source, schedules in _declared(app):
        new = [checked(app, source, schedule) for schedule in schedules]
        if _differ(new, [one for one in stored if one.source == source], app.clock.now()):
            declare(app.transport, source, [placed(one, app.clock.now()) for one in new])
    for one in stored:
        if one.source == RUNTIME:
            _check_again(app, one)
    return app.transport.schedules()


def entries(app: App) -> list[StoredSchedule]:
    """Return all schedules as they would be stored, those that cannot work with the reason; nothing is written."""
    return [
        placed(checked(app, source, schedule), app.clock.now())
        for source, schedules in _declared(app)
        for schedule in schedules
    ]


def checked(app: App, source: str, schedule: Schedule) -> StoredSchedule:
    """Return a schedule with its queue and its arguments as messages have them; refused when they do not fit."""
    place = installation_of(app.settings)
    try:
        task = app.registry.get(schedule.task)
        queue = app.queue_for(task, schedule.queue)
        body = task.codec.encode((), schedule.args)
        terms = _terms(task, body)
    except CronqError as error:
        reason = f"schedule {schedule.name}: {error}"
        return to_store(source, schedule, schedule.args, schedule.queue or "normal", 1, place)._replace(refused=reason)
    import json

    stored = to_store(source, schedule, json.loads(body), queue, app.policy(task, queue).max_attempts, place)
    followed = followed_by(stored, app.following.of(task, queue))
    return followed if terms is None else under_terms(followed, terms)


def _terms(task: Task[..., Any], body: bytes) -> Terms | None:
    """Return the terms that every run of a schedule is under: its arguments, and so its keys, are always the same."""
    wanted = task.asked(Delivery())
    if wanted is None:
        return None
    args, kwargs = task.codec.decode(body)
    return terms_for(task, wanted, tuple(args), kwargs)


def _declared(app: App) -> tuple[tuple[str, Sequence[Schedule]], ...]:
    return ((CODE, app.timetable.all()), (CONFIG, app.settings.schedules))


def _check_again(app: App, one: StoredSchedule) -> None:
    """Refuse what a program added while this release of the code has no such task any more, or takes it up again."""
    reason = checked(app, RUNTIME, schedule_of(one)).refused
    if (reason is None) != (one.refused is None):
        now_fits = placed(one._replace(refused=None), app.clock.now())
        app.transport.revise(one, now_fits if reason is None else one._replace(next_at=None, refused=reason))


def _differ(new: Sequence[StoredSchedule], stored: Sequence[StoredSchedule], now: float) -> bool:
    """Tell whether anything is to be written. Without that a consumer need not import croniter."""

    def said(one: StoredSchedule) -> tuple[object, ...]:
        return one.name, one.declared, one.timing, one.spec

    if sorted(map(said, new), key=str) != sorted(map(said, stored), key=str):
        return True
    refused = {one.name for one in new if one.refused is not None}
    was_ahead = any(one.last_at is not None and one.last_at > now + CLOCK_WAS_WRONG_S for one in stored)
    return was_ahead or refused != {one.name for one in stored if one.refused is not None}

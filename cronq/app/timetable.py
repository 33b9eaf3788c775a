"""The schedules that a project's code declares: what `@app.cron` marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cronq.errors import UsageError
from cronq.schedules.schedule import Schedule, validated
from cronq.tasks.task import Task, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from cronq.schedules.schedule import ScheduleOptions


F = TypeVar("F", bound="Callable[..., Any]")


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

    def marking(self, schedule: Schedule) -> Callable[[F], F]:
        """Return what takes a schedule for the task or function that it is put above."""

        def mark(marked: F) -> F:
            self.add(marked, schedule)
            return marked

        return mark

    def take_over(self, tasks: Collection[str], other: Timetable) -> None:
        """Take from another timetable the schedules of some tasks. Raises UsageError when a name is there already."""
        for schedule in other.all():
            if schedule.task in tasks:
                self._enter(schedule)

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
        self._enter(_named(schedule, task.name))

    def _enter(self, new: Schedule) -> None:
        if self._schedules.setdefault(new.name, new) != new:
            raise UsageError(f"two schedules are named {new.name}: give one of them @app.cron(..., name=...)")


def _named(schedule: Schedule, task: str) -> Schedule:
    return validated(schedule._replace(task=task, name=schedule.name or task))

"""Tasks without an App, for packages that others build upon: `from cronq import task`.

They belong to every app that includes their module. Such a task is made once, and finds its app when it is enqueued.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, Unpack
from weakref import WeakSet

from cronq.app.modules import missing_line
from cronq.app.registration import Registration
from cronq.app.task_factory import Said
from cronq.app.timetable import Timetable, made
from cronq.errors import UsageError
from cronq.tasks.decorator import TaskDecorator
from cronq.tasks.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import timedelta
    from typing import Concatenate

    from cronq.app.modules import Modules
    from cronq.schedules.schedule import ScheduleOptions
    from cronq.tasks.batch_task import BatchTask
    from cronq.tasks.decorator import TaskOptions
    from cronq.tasks.options import Delivery
    from cronq.tasks.ref import Ref
    from cronq.tasks.task import Pairs, Sender, Task
    from cronq.transports.installation import Installation

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")


class Includer(Protocol):
    """What may include modules: an App."""

    @property
    def modules(self) -> Modules: ...

    @property
    def enqueuer(self) -> Sender: ...

    @property
    def installation(self) -> Installation: ...


class SharedTasks:
    """The tasks of this process that were made without an App, and the apps that may include them."""

    def __init__(self) -> None:
        self.registry: Registry = Registry()
        self.timetable: Timetable = Timetable()
        self.includers: WeakSet[Includer] = WeakSet()
        self.registration: Registration = Registration(self.registry, self.timetable, self)

    def send_calls(self, task: Task[..., Any], calls: Pairs, delivery: Delivery) -> list[Ref[Any]]:
        """Send calls by the app that includes the task. Raises UsageError when none does, or several do."""
        return self._sender_of(task).send_calls(task, calls, delivery)

    async def send_calls_async(self, task: Task[..., Any], calls: Pairs, delivery: Delivery) -> list[Ref[Any]]:
        """As `send_calls`, for coroutines."""
        return await self._sender_of(task).send_calls_async(task, calls, delivery)

    def _sender_of(self, task: Task[..., Any]) -> Sender:
        if sum(1 for _ in self._including(task)) > 1:
            import gc

            gc.collect()  # an app that nobody uses any more, of the test before, say
        including = list(self._including(task))
        if not including:
            raise UsageError(missing_line(task))
        if len(including) > 1:
            raise UsageError(
                f"{task.name}: several Apps of this process include it: say which by app.enqueue(task.call(...))"
            )
        return including[0].enqueuer

    def _including(self, task: Task[..., Any]) -> Iterator[Includer]:
        return (one for one in self.includers if one.modules.may_have(task))


SHARED = SharedTasks()

task: TaskDecorator = TaskDecorator(SHARED.registration.task)
"""As `app.task`, for a task that belongs to every app that includes its module."""

handler: TaskDecorator = TaskDecorator(SHARED.registration.handler)
"""As `app.handler`, for a handler that belongs to every app that includes its module."""


def batch(
    *, size: int, wait_s: float | timedelta = 1.0, name: str | None = None, **options: Unpack[TaskOptions]
) -> Callable[[Callable[Concatenate[list[T], ...], R]], BatchTask[T, R]]:
    """As `app.batch`, for a task that belongs to every app that includes its module."""
    from cronq.tasks.batch_task import Gather
    from cronq.units import in_seconds

    gather, said = Gather(size, in_seconds(wait_s)), Said(name, options)
    return lambda function: SHARED.registration.batch(function, gather, said)


def cron(
    cron: str,
    /,
    *,
    args: Mapping[str, object] | None = None,
    name: str | None = None,
    **options: Unpack[ScheduleOptions],
) -> Callable[[F], F]:
    """As `app.cron`, for a schedule that belongs to every app that includes its module."""
    return SHARED.timetable.marking(made(name or "", "", cron, args, options))

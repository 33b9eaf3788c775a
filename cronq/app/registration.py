"""How the functions of a project come to be known as tasks: by name, by message class, and with their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from cronq.app.task_factory import Said, batch_task, handler_task, plain_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Concatenate

    from cronq.app.timetable import Timetable
    from cronq.tasks.batch_task import BatchTask, Gather
    from cronq.tasks.registry import Registry
    from cronq.tasks.task import Sender, Task

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Registration:
    """Makes functions tasks and enters them into the registry. All of it raises UsageError."""

    def __init__(self, registry: Registry, timetable: Timetable, sender: Sender) -> None:
        self._registry = registry
        self._timetable = timetable
        self._sender = sender

    def task(self, function: Callable[P, R], name: str | None, options: Mapping[str, Any]) -> Task[P, R]:
        """Make a function a task of its own."""
        task = plain_task(function, Said(name, options), self._sender)
        self._enter(task)
        return task

    def handler(self, function: Callable[P, R], name: str | None, options: Mapping[str, Any]) -> Task[P, R]:
        """Make a function a task that a message class is dispatched to."""
        task = handler_task(function, Said(name, options), self._sender)
        self._enter(task)
        return task

    def batch(self, function: Callable[Concatenate[list[T], ...], R], gather: Gather, said: Said) -> BatchTask[T, R]:
        """Make a function a task of many items, and a handler when they are of a message class."""
        task = batch_task(function, gather, said, self._sender)
        self._enter(task)
        return task

    def _enter(self, task: Task[..., Any]) -> None:
        self._registry.add(task)
        self._timetable.claim(task)

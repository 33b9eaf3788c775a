"""How the functions of a project come to be known as tasks: by name, by message class, and with their schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from cronq.app.task_factory import Said, batch_task, handler_task, plain_task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Concatenate

    from cronq.app.definitions import Definitions
    from cronq.app.timetable import Timetable
    from cronq.tasks.batch_task import BatchTask, Gather
    from cronq.tasks.registry import Registry
    from cronq.tasks.task import Sender, Task

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Registration:
    """Makes functions tasks and enters them into the registry. All of it raises UsageError."""

    def __init__(self, definitions: Definitions, timetable: Timetable, sender: Sender) -> None:
        self.registry: Registry = definitions.registry
        self.routing: Mapping[str, str] = definitions.installation.settings.routing
        self.timetable: Timetable = timetable
        self.sender: Sender = sender

    def task(self, function: Callable[P, R], name: str | None, options: Mapping[str, Any]) -> Task[P, R]:
        """Make a function a task of its own."""
        task = plain_task(function, Said(name, options), self.sender)
        self.registry.add(task)
        self.timetable.claim(task)
        return task

    def handler(self, function: Callable[P, R], name: str | None, options: Mapping[str, Any]) -> Task[P, R]:
        """Make a function a task that a message class is dispatched to."""
        task, handled = handler_task(function, Said(name, options), self.routing, self.sender)
        self.registry.add_handler(handled, task)
        self.timetable.claim(task)
        return task

    def batch(self, function: Callable[Concatenate[list[T], ...], R], gather: Gather, said: Said) -> BatchTask[T, R]:
        """Make a function a task of many items, and a handler when they are of a message class."""
        task, handled = batch_task(function, gather, said, self.routing, self.sender)
        if handled is None:
            self.registry.add(task)
        else:
            self.registry.add_handler(handled, task)
        self.timetable.claim(task)
        return task

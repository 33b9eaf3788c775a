"""Registering batch tasks."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from cronq.tasks.batch_task import BatchTask, Gather, items_of
from cronq.tasks.routing import HighPriority, LowPriority, NormalPriority, queue_of_class
from cronq.tasks.task import name_of, options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Concatenate

    from cronq.app.application import App

T = TypeVar("T")
R = TypeVar("R")


def register_batch(
    app: App,
    function: Callable[Concatenate[list[T], ...], R],
    gather: Gather,
    name: str | None,
    given: Mapping[str, Any],
) -> BatchTask[T, R]:
    """Make a function a batch task, and a handler where its items are of a message class. Raises UsageError."""
    name = name or name_of(function)
    item = items_of(name, function).type
    handled = item if is_message_class(item) else None
    queue = None if handled is None else queue_of_class(handled, app.settings.routing)
    options = options_of(function, given if queue is None else {"queue": queue, **given})
    task = BatchTask(function, name, options, app, gather)
    if handled is None:
        app.registry.add(task)
    else:
        app.registry.add_handler(handled, task)
    app.timetable.claim(task)
    return task


def is_message_class(item: Any) -> bool:
    """Tell whether objects of a type can be dispatched: dataclasses, and classes with a priority."""
    marked = HighPriority | NormalPriority | LowPriority
    return isinstance(item, type) and (is_dataclass(item) or issubclass(item, marked))

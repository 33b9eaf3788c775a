"""From a function to a task: plain ones, handlers of a message class, batch tasks."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from cronq.errors import UsageError
from cronq.tasks.options import options_of
from cronq.tasks.routing import HighPriority, LowPriority, NormalPriority
from cronq.tasks.signatures import check_function, check_name, hints_of, signature_of
from cronq.tasks.task import AsyncTask, Task, is_coroutine_function, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Concatenate

    from cronq.tasks.batch_task import BatchTask, Gather
    from cronq.tasks.task import Sender

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Said(NamedTuple):
    """What stands at a function beside its kind: a name of its own, if it has one, and its options."""

    name: str | None
    options: Mapping[str, Any]


def plain_task(function: Callable[P, R], said: Said, sender: Sender) -> Task[P, R]:
    """Make a function a task. Raises UsageError."""
    kind = AsyncTask if is_coroutine_function(function) else Task
    return kind(function, _name(function, said), options_of(function, said.options), sender)


def handler_task(function: Callable[P, R], said: Said, sender: Sender) -> Task[P, R]:
    """Make a function a task that handles a message class. Raises UsageError."""
    check_function(function)
    handled = _message_class(function)
    task = plain_task(function, said, sender)
    task.message_class = handled
    return task


def batch_task(
    function: Callable[Concatenate[list[T], ...], R], gather: Gather, said: Said, sender: Sender
) -> BatchTask[T, R]:
    """Make a function a batch task, which is a handler when its items are of a message class. Raises UsageError."""
    from cronq.tasks.batch_task import BatchTask, items_of

    name = _name(function, said)
    item = items_of(name, function).type
    task = BatchTask(function, name, options_of(function, said.options), sender, gather)
    task.message_class = item if is_message_class(item) else None
    return task


def is_message_class(item: Any) -> bool:
    """Tell whether objects of a type can be dispatched: dataclasses, and classes with a priority."""
    marked = HighPriority | NormalPriority | LowPriority
    return isinstance(item, type) and (is_dataclass(item) or issubclass(item, marked))


def _name(function: Callable[..., object], said: Said) -> str:
    """Return the name of the task that a function is to be. Raises UsageError for what can be none."""
    check_function(function)
    check_name(said.name)
    return said.name or name_of(function)


def _message_class(function: Callable[..., object]) -> type:
    name = function.__qualname__
    first = next(iter(signature_of(name, function).parameters), None)
    found = hints_of(name, function).get(first or "")
    if not isinstance(found, type):
        raise UsageError(f"handler {name}: its first parameter must be annotated with a message class")
    return found

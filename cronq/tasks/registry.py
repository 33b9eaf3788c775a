"""Which tasks an app has, and which of them handle which message class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import UnknownTaskError, UsageError
from cronq.tasks.module_name import full_name, settled
from cronq.tasks.same_function import is_same, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.tasks.task import Task


class Registry:
    """Tasks by name. Only what is in here is ever run."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task[..., Any]] = {}
        self._handlers: dict[type, list[Task[..., Any]]] = {}

    def __iter__(self) -> Iterator[Task[..., Any]]:
        return iter(self._tasks.values())

    def __contains__(self, task: Task[..., Any]) -> bool:
        known = self._tasks.get(task.name)
        return known is task or (known is not None and is_same(known.function, task.function))

    def add(self, task: Task[..., Any]) -> None:
        """Register a task, a handler for its message class; the same function once more takes its place.

        Raises UsageError when another has its name.
        """
        known = self._tasks.get(task.name)
        if known is not None and not is_same(known.function, task.function):
            places = dict.fromkeys((place_of(known.function), place_of(task.function)))
            raise UsageError(
                f"two tasks are named {task.name}: give one of them @app.task(name=...); they are made in "
                f"{' and '.join(places)}"
            )
        self._tasks[task.name] = task
        if task.message_class is not None:
            others = [one for one in self._handlers.get(task.message_class, ()) if one.name != task.name]
            self._handlers[task.message_class] = [*others, task]

    def get(self, name: str) -> Task[..., Any]:
        """Return the task of that name. Raises UnknownTaskError with the nearest names."""
        task = self._tasks.get(name) or self._tasks.get(settled(name))
        if task is None:
            raise UnknownTaskError(f"no task is named {name}{_nearest(name, list(self._tasks))}")
        return task

    def handlers(self, message_class: type) -> list[Task[..., Any]]:
        """Return the handlers of a message class or of its nearest handled base. Raises UsageError when none is."""
        for cls in message_class.__mro__:
            if cls in self._handlers:
                return self._handlers[cls]
        raise UsageError(
            f"no handler for {full_name(message_class)}: "
            f"mark one with @app.handler and import its module before dispatching"
        )


def _nearest(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(near)}?" if near else f"; this app has {len(known)} tasks"

"""Which tasks an app has, and which of them handle which message class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import UnknownTaskError, UsageError

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

    def add(self, task: Task[..., Any]) -> None:
        """Register a task. Raises UsageError when another one has its name."""
        known = self._tasks.get(task.name)
        if known is not None and known.function.__code__ is not task.function.__code__:
            raise UsageError(f"two tasks are named {task.name}: give one of them @app.task(name=...)")
        self._tasks[task.name] = task

    def add_handler(self, message_class: type, task: Task[..., Any]) -> None:
        """Register a task as one of the handlers of a message class."""
        self.add(task)
        self._handlers.setdefault(message_class, []).append(task)

    def get(self, name: str) -> Task[..., Any]:
        """Return the task of that name. Raises UnknownTaskError with the nearest names."""
        task = self._tasks.get(name)
        if task is None:
            raise UnknownTaskError(f"no task is named {name}{_nearest(name, list(self._tasks))}")
        return task

    def handlers(self, message_class: type) -> list[Task[..., Any]]:
        """Return the handlers of a message class or of its nearest handled base. Raises UsageError when none is."""
        for cls in message_class.__mro__:
            if cls in self._handlers:
                return self._handlers[cls]
        raise UsageError(
            f"no handler for {message_class.__module__}.{message_class.__qualname__}: "
            f"mark one with @app.handler and import its module before dispatching"
        )


def _nearest(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=3)
    return f"; did you mean {' or '.join(near)}?" if near else f"; this app has {len(known)} tasks"

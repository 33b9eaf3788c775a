"""Which tasks an app has, and which of them handle which message class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import UnknownTaskError, UsageError
from cronq.tasks.module_name import full_name, settled
from cronq.tasks.same_function import is_same, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.tasks.task import Task

_NEAR = 0.6  # as difflib has it
_BESIDE = 0.8  # of the best: what is less like stands not beside it


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


_FEW = 5  # tasks whose names are said


def _nearest(name: str, known: list[str]) -> str:
    likeness = {one: found for one in known if (found := _likeness(name, one)) is not None}
    best = max((of_function for of_function, _ in likeness.values()), default=0.0)
    near = [one for one in likeness if likeness[one][0] >= _BESIDE * best]
    near.sort(key=likeness.__getitem__, reverse=True)
    if near:
        return f"; did you mean {' or '.join(near[:3])}?"
    return f"; this app has {', '.join(sorted(known)) if 0 < len(known) <= _FEW else f'{len(known)} tasks'}"


def _likeness(name: str, known: str) -> tuple[float, float] | None:
    """Return how like a task's name what was given is, function before module; None for not near.

    Functions are compared apart from their modules, which all tasks of an app may share: a common module makes no task
    like another. A function of the same name is near in whatever module.
    """
    (module, _, function), (known_module, _, known_function) = name.rpartition("."), known.rpartition(".")
    of_function = _ratio(function, known_function)
    of_module = _ratio(module, known_module) if module else 1.0
    is_near = of_function >= _NEAR or sorted(function) == sorted(known_function)
    is_there = of_module >= _NEAR or function == known_function
    return (of_function, of_module) if is_near and is_there else None


def _ratio(one: str, other: str) -> float:
    import difflib  # 4 ms, and only a complaint needs it

    return difflib.SequenceMatcher(None, one, other).ratio()

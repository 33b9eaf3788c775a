"""A call of a task as a value: what chains, groups and `app.enqueue_in` are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.tasks.task import Delivery, Task


class _Result:
    """Stands for what the step before returns."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "RESULT"


RESULT: Final[Any] = _Result()
"""In place of an argument: what the step before has returned; behind a group, the list of what its parts returned."""


class Call(NamedTuple):
    """A call that nobody has enqueued yet: what `task.call(...)` returns."""

    task: Task[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    delivery: Delivery

"""What a message is run with: what its app knows of tasks, and the task with its arguments, read from the message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cronq.consumer.isolation import Confinement
    from cronq.messages.message import Message
    from cronq.messages.outbox import Outbox
    from cronq.tasks.context import Context
    from cronq.tasks.retry import Retry
    from cronq.tasks.task import Task


class Tasks(NamedTuple):
    """What an app gives a runner: how to find a task, how it is retried, and what goes around every run.

    `outbox` opens what holds back all that a running task enqueues.
    """

    find: Callable[[str], Task[..., Any]]
    policy: Callable[[Task[..., Any], Message], Retry]
    timeout_s: Callable[[Task[..., Any], Message], float | None]
    result_ttl_s: Callable[[Task[..., Any], Message], float]
    outbox: Callable[[], Outbox]
    arounds: Sequence[Callable[[Context], AbstractContextManager[object]]] = ()
    resets: Sequence[Callable[[], object]] = ()
    disconnects: Sequence[Callable[[], object]] = ()
    confinement: Callable[[Task[..., Any], str], Confinement | None] = lambda task, queue: None
    results: Callable[[str], Mapping[int, bytes | None]] = lambda group_id: {}


class Runnable(NamedTuple):
    """A message made runnable. With a `confinement` it gets a process of its own, where it may have one."""

    task: Task[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]
    timeout_s: float | None
    run: Callable[..., object]
    confinement: Confinement | None = None

    @property
    def may_gather(self) -> bool:
        """Whether others are to be run in the same call. A process of its own is had by one message alone."""
        return self.task.gather > 0 and self.confinement is None

"""The App: what a project's code talks to."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from cronq.app.outbox import Outbox, hold, opened
from cronq.app.ref import Ref
from cronq.app.registry import Registry
from cronq.app.timetable import Timetable
from cronq.clock import SystemClock
from cronq.config import load
from cronq.errors import UsageError
from cronq.events import emit
from cronq.host.state_dir import StateDir
from cronq.ids import new_id
from cronq.message import Message
from cronq.routing import DEFAULT_QUEUE, queue_of_class
from cronq.schedule import UTC, Schedule
from cronq.task import Delivery, Options, Task, name_of, with_queue_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from contextlib import AbstractContextManager

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.context import Context
    from cronq.retry import Retry
    from cronq.schedule import Missed
    from cronq.transports.base import Transport

    Around = Callable[[Context], AbstractContextManager[object]]
    BeforeEnqueue = Callable[[dict[str, str]], None]

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[..., Any]")


class App:
    """Holds the tasks of a project and puts their calls into queues.

    `App()` uses the file that CRONQ_CONFIG names, else `cronq.toml` in the working directory, else defaults.
    Raises ConfigError with every problem the configuration has.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self.settings = settings if settings is not None else load()
        self.clock: Clock = clock or SystemClock()
        self.state = StateDir(self.settings.state_dir)
        self.registry = Registry()
        self.timetable = Timetable()
        self.arounds: list[Around] = []
        self._before_enqueue: list[BeforeEnqueue] = []
        self._policies: dict[tuple[str, str], Retry] = {}

    @classmethod
    def from_config(cls, path: str | os.PathLike[str]) -> App:
        """Return an app configured by the file at `path`.

        A relative path is looked for beside the file that makes this call, then in the working directory:
        what a web server or cron has as its working directory is anybody's guess.
        """
        caller = sys._getframe(1).f_globals.get("__file__")
        return cls(load(_beside(os.fspath(path), caller)))

    @cached_property
    def transport(self) -> Transport:
        """The transport of the configuration, opened with the first message."""
        from cronq.transports.from_url import make_transport

        if self.settings.transport.startswith("sqlite:"):
            self.state.prepare()
        return make_transport(self.settings, self.clock)

    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def task(self, /, *, name: str | None = None, **options: Any) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def task(self, function: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
        """Make a function a task: `@app.task` or `@app.task(queue="high", timeout_s=30)`. Options: see `Options`."""

        def register(function: Callable[P, R]) -> Task[P, R]:
            task = Task(function, name or name_of(function), _options(function, options), self)
            self.registry.add(task)
            self.timetable.claim(task)
            return task

        return register if function is None else register(function)

    @overload
    def handler(self, function: Callable[P, R], /) -> Task[P, R]: ...

    @overload
    def handler(self, /, *, name: str | None = None, **options: Any) -> Callable[[Callable[P, R]], Task[P, R]]: ...

    def handler(self, function: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
        """Make a function a handler of the message class that its first parameter is annotated with."""

        def register(function: Callable[P, R]) -> Task[P, R]:
            message_class = _message_class(function)
            queue = queue_of_class(message_class, self.settings.routing)
            wanted = options if queue is None else {"queue": queue, **options}
            task = Task(function, name or name_of(function), _options(function, wanted), self)
            self.registry.add_handler(message_class, task)
            return task

        return register if function is None else register(function)

    def cron(
        self,
        cron: str,
        /,
        *,
        tz: str = UTC,
        missed: Missed = "once",
        args: Mapping[str, object] | None = None,
        queue: str | None = None,
        name: str | None = None,
    ) -> Callable[[F], F]:
        """Enqueue a task again and again: `@app.cron("30 2 * * *", tz="Europe/Berlin")` above or below `@app.task`.

        `missed` says what becomes of runs that no tick saw: one run for all of them (`once`), none (`skip`), or `all`.
        `args` are arguments by name; `name` tells apart several schedules of one task. Raises UsageError.
        """
        schedule = Schedule(name or "", "", cron, tz, dict(args or {}), missed, queue)

        def mark(marked: F) -> F:
            self.timetable.add(marked, schedule)
            return marked

        return mark

    def dispatch(self, message: object, **delivery: Any) -> list[Ref]:
        """Put a message object into its queue, once for each of its handlers. `delivery` is as for `task.using`."""
        wanted = Delivery(**delivery)
        refs: list[Ref] = []
        with self.outbox():
            for task in self.registry.handlers(type(message)):
                refs += self.send_calls(task, [((message,), {})], wanted)
        return refs

    def outbox(self) -> AbstractContextManager[Outbox]:
        """Hold messages back: sent together at the end of the `with` block, dropped when an exception leaves it."""
        return opened(self.send)

    def around(self, manager: Around) -> Around:
        """Run every task inside this context manager, made with its Context: clean-up, user context, error reports."""
        self.arounds.append(manager)
        return manager

    def before_enqueue(self, hook: BeforeEnqueue) -> BeforeEnqueue:
        """Call this before every enqueue with the headers of the message, to add to them."""
        self._before_enqueue.append(hook)
        return hook

    def send_calls(
        self, task: Task[..., Any], calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]], delivery: Delivery
    ) -> list[Ref]:
        """Write calls of a task as messages and put them into its queue. The tasks' own methods end here."""
        queue = self.queue_for(task, delivery.queue)
        headers = self._headers(delivery.headers)
        now = self.clock.now()
        shared = (
            headers,
            delivery.priority,
            now + delivery.delay_s if delivery.delay_s else 0.0,
            0,
            self.policy(task, queue).max_attempts,
            now + delivery.expires_s if delivery.expires_s else None,
        )
        encode = task.codec.encode
        messages = [Message(new_id(), queue, task.name, encode(args, kwargs), *shared) for args, kwargs in calls]
        if not hold(messages, self.send):
            self.send(messages)
        return [Ref(message.id, self._find) for message in messages]

    def send(self, messages: list[Message]) -> None:
        """Put messages into their queues now, in one transaction, and wake idle consumers."""
        if not messages:
            return
        self.transport.enqueue(messages)
        emit("submitted", messages=messages)
        if self.settings.transport.startswith("sync:"):
            from cronq.app.consuming import run_here

            run_here(self)
        elif not self.settings.transport.startswith("memory:"):
            self._wake({message.queue for message in messages if message.available_at <= self.clock.now()})

    def policy(self, task: Task[..., Any], queue: str) -> Retry:
        """Return the retry policy of a task in a queue: the task's own, as changed by `[queues.NAME]`."""
        known = self._policies.get((task.name, queue))
        if known is None:
            of_queue = self.settings.queue(queue)
            known = with_queue_settings(task.options.retry, of_queue.retry, of_queue.max_attempts)
            self._policies[task.name, queue] = known
        return known

    def _wake(self, queues: Iterable[str]) -> None:
        from cronq.host.bell import ring

        for queue in queues:
            ring(self.state.wake(queue))

    def _find(self, message_id: str) -> Any:
        return self.transport.find(message_id)

    def _headers(self, given: Mapping[str, str] | None) -> bytes:
        if not given and not self._before_enqueue:
            return b""
        headers = dict(given or {})
        for hook in self._before_enqueue:
            hook(headers)
        import json

        return json.dumps(headers).encode() if headers else b""

    def queue_for(self, task: Task[..., Any], wanted: str | None) -> str:
        """Return the queue for a call of a task. Raises UsageError for one that nobody serves."""
        queue, settings = wanted or task.options.queue or DEFAULT_QUEUE, self.settings
        served = {name for group in settings.groups for name in group.queues}
        if queue in served or queue in settings.inline.queues or queue in settings.queues or not settings.groups:
            return queue
        raise UsageError(
            f"queue {queue!r}: no [[consumers]] entry serves it, so its messages would wait for ever; "
            f"served are {', '.join(sorted(served))}"
        )


def _options(function: Callable[..., object], given: Mapping[str, Any]) -> Options:
    try:
        return Options(**given)
    except (TypeError, ValueError) as error:
        raise UsageError(f"task {function.__qualname__}: {error}") from None


def _message_class(function: Callable[..., object]) -> type:
    import inspect
    import typing

    first = next(iter(inspect.signature(function).parameters), None)
    found = typing.get_type_hints(function).get(first or "")
    if not isinstance(found, type):
        raise UsageError(f"handler {function.__qualname__}: its first parameter must be annotated with a message class")
    return found


def _beside(path: str, caller: str | None) -> str:
    if os.path.isabs(path) or not caller:
        return path
    beside = os.path.join(os.path.dirname(os.path.abspath(caller)), path)
    return beside if os.path.exists(beside) else path

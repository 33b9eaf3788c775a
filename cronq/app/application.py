"""The App: what a project's code talks to."""

from __future__ import annotations

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast, overload

from cronq.app.followers import Following
from cronq.app.ref import Ref, Refs
from cronq.app.registry import Registry
from cronq.app.timetable import ScheduleOptions, Timetable, made
from cronq.app.writer import Writer
from cronq.clock import SystemClock
from cronq.config import load
from cronq.errors import UsageError
from cronq.events import emit
from cronq.host.bell import ring
from cronq.host.state_dir import StateDir
from cronq.messages.outbox import Outbox, hold, opened
from cronq.tasks.call import Call
from cronq.tasks.routing import DEFAULT_QUEUE, queue_of_class
from cronq.tasks.task import Delivery, Task, checked_names, name_of, options_of, with_queue_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Concatenate

    from cronq.app.schedule_status import Schedules
    from cronq.app.workflows import Chain, Group
    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.messages.message import Message
    from cronq.tasks.batch_task import BatchTask
    from cronq.tasks.context import Context
    from cronq.tasks.retry import Retry
    from cronq.testing.box import Box
    from cronq.transports.base import Copy, Transport
    from cronq.transports.sync import SyncTransport

    Around = Callable[[Context], AbstractContextManager[object]]
    BeforeEnqueue = Callable[[dict[str, str]], None]
    AroundRequest = Callable[[Mapping[str, Any]], AbstractContextManager[object]]
    Hook = Callable[[], object]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
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
        self.following = Following(self)
        self.arounds: list[Around] = []
        self.request_arounds: list[AroundRequest] = []
        self.resets: list[Hook] = []
        self.disconnects: list[Hook] = []
        self.writer = Writer(self)
        self._policies: dict[tuple[str, str], Retry] = {}
        self._refs = Refs(self)
        if self.settings.webhooks:
            from cronq.app.webhook_task import add_to

            add_to(self)

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
        from cronq.transports.schemes import make_transport

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
            task = Task(function, name or name_of(function), options_of(function, options), self)
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
            task = Task(function, name or name_of(function), options_of(function, wanted), self)
            self.registry.add_handler(message_class, task)
            return task

        return register if function is None else register(function)

    def batch(
        self, /, *, size: int, wait_s: float = 1.0, name: str | None = None, **options: Any
    ) -> Callable[[Callable[Concatenate[list[T], ...], R]], BatchTask[T, R]]:
        """Make a function that takes a list a task that is enqueued with single items: `@app.batch(size=50)`.

        It is called with up to `size` of them, or with what has come within `wait_s` seconds of the first. What failed
        is tried again alone; `PartlyFailed` says that not all did. `options` are those of `task`.
        """
        from cronq.app.batch_registration import register_batch
        from cronq.tasks.batch_task import Gather

        def register(function: Callable[Concatenate[list[T], ...], R]) -> BatchTask[T, R]:
            return register_batch(self, function, Gather(size, wait_s), name, options)

        return register

    def cron(
        self,
        cron: str,
        /,
        *,
        args: Mapping[str, object] | None = None,
        name: str | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> Callable[[F], F]:
        """Enqueue a task again and again: `@app.cron("30 2 * * *", tz="Europe/Berlin")` above or below `@app.task`.

        Six fields begin with the seconds; `@every 10s` and, for a time of its own, `H H * * *` work as well.
        `missed` says what becomes of runs that nobody saw: one run for all of them (`once`), none (`skip`), or `all`.
        While a run waits or goes on no other is enqueued, unless `overlap=True`; after `stop_after` runs in a row
        that failed for good it stops. `args` are arguments by name, `queue` replaces the task's own, `name` tells
        apart several schedules of one task. Raises UsageError.
        """
        schedule = made(name or "", "", cron, args, options)

        def mark(marked: F) -> F:
            self.timetable.add(marked, schedule)
            return marked

        return mark

    @cached_property
    def schedules(self) -> Schedules:
        """What recurs: to look at, and to add to and remove from while the program runs."""
        from cronq.app.schedule_status import Schedules

        return Schedules(self)

    def dispatch(self, message: object, **delivery: Any) -> list[Ref]:
        """Put a message object into its queue, once for each of its handlers. `delivery` is as for `task.using`."""
        wanted = Delivery(**checked_names(Delivery, delivery))
        handlers = self.registry.handlers(type(message))
        messages = [one for task in handlers for one in self.writer.messages(task, [((message,), {})], wanted)]
        return self.post(messages, wanted.immediately)

    def ref(self, message_id: str) -> Ref:
        """Return a ref for a message whose id was kept, in a session say: `app.ref(message_id).status`."""
        return self._refs.one(message_id)

    def enqueue_in(self, connection: object, *calls: Call | object) -> list[Ref]:
        """Put calls and message objects into their queues inside the caller's own transaction, on the same database.

        `connection` is a driver's connection, or one of SQLAlchemy or Django around it. Nothing is there before the
        caller commits, and nothing after a rollback. Consumers look when their `sleep` is over, or when told to
        (`app.wake`). Raises UsageError when the queues are kept elsewhere.
        """
        messages = [message for call in calls for message in self._messages_of_one(call)]
        self.transport.enqueue_in(connection, messages)
        return self._refs.of(messages)

    def _messages_of_one(self, wanted: Call | object) -> list[Message]:
        calls = wanted if isinstance(wanted, Call) else None
        if calls is not None:
            return self.writer.messages(calls.task, [(calls.args, calls.kwargs)], calls.delivery)
        handlers = self.registry.handlers(type(wanted))
        return [one for task in handlers for one in self.writer.messages(task, [((wanted,), {})], Delivery())]

    def outbox(self) -> AbstractContextManager[Outbox]:
        """Hold messages back: sent together at the end of the `with` block, dropped when an exception leaves it.

        `@app.outbox()` above a function, say a click command, does so for every call of it.
        """
        return opened(self.send)

    def chain(self, *steps: Call | Chain | Group | Sequence[Any]) -> Chain:
        """Return calls to be run one after the other: `app.chain(a.call(1), b.call(RESULT)).enqueue()`."""
        from cronq.app.workflows import Chain

        return Chain(self, steps)

    def group(self, *parts: Call | Chain | Group | Sequence[Any], then: Call | None = None) -> Group:
        """Return calls to be run at the same time; `then` is run when all have succeeded, RESULT is their results."""
        from cronq.app.workflows import Group

        return Group(self, parts, then)

    def on_failure(self, callback: Task[P, R] | Callable[P, R]) -> Task[P, R]:
        """Enqueue this task, with a Failure, for every message that goes to the failure queue: `@app.on_failure`."""
        task = callback if isinstance(callback, Task) else self.task(callback)
        self.following.add(task)
        return task

    def testing(self) -> Box:
        """Open a box for a test: `with app.testing() as box:` messages stay in it until the test runs them."""
        from cronq.testing.box import Box

        return Box(self)

    def around(self, manager: Around) -> Around:
        """Run every task inside this context manager, made with its Context: clean-up, user context, error reports."""
        self.arounds.append(manager)
        return manager

    def around_request(self, manager: AroundRequest) -> AroundRequest:
        """Let the middleware run every request inside this context manager, made with its WSGI environ."""
        self.request_arounds.append(manager)
        return manager

    def reset(self, hook: Hook) -> Hook:
        """Call this after every message, failed ones included, when all arounds are left: to empty caches and the like.

        What it raises is written to the log and changes nothing.
        """
        self.resets.append(hook)
        return hook

    def disconnect(self, hook: Hook) -> Hook:
        """Call this when connections should be closed: a consumer is idle, or is about to fork an isolated message."""
        self.disconnects.append(hook)
        return hook

    def before_enqueue(self, hook: BeforeEnqueue) -> BeforeEnqueue:
        """Call this before every enqueue with the headers of the message, to add to them."""
        self.writer.hooks.append(hook)
        return hook

    def send_calls(
        self, task: Task[..., Any], calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]], delivery: Delivery
    ) -> list[Ref]:
        """Write calls of a task as messages and put them into its queue. The tasks' own methods end here."""
        return self.post(self.writer.messages(task, calls, delivery), delivery.immediately)

    def post(self, messages: list[Message], immediately: bool = False) -> list[Ref]:
        """Put messages into the open outbox, or send them if there is none."""
        refs = self._refs.of(messages)
        if immediately or not hold(messages, self.send):
            self.send(messages)
        return refs

    def send(self, messages: list[Message]) -> None:
        """Put messages into their queues now, in one transaction, and wake idle consumers."""
        if not messages:
            return
        absorbed = self.transport.enqueue(messages, lambda absorbed: self._wake_for(messages, absorbed))
        if absorbed:
            self._refs.learn(absorbed)
            emit("absorbed", absorbed=absorbed, messages=[one for one in messages if one.id in absorbed])
        emit("submitted", messages=[one for one in messages if one.id not in absorbed] if absorbed else messages)
        if self.settings.transport.startswith("sync:"):
            from cronq.runtime.crew import run_here

            run_here(self, cast("SyncTransport", self.transport))

    def announce(self, messages: Sequence[Message]) -> None:
        """Tell who listens that messages were put into their queues, and wake consumers that wait for them."""
        emit("submitted", messages=messages)
        self._wake_for(messages)

    def _wake_for(self, messages: Sequence[Message], absorbed: Container[str] = ()) -> None:
        now, due = self.clock.now(), set()
        for message in messages:  # a loop: the cells of a comprehension take longer
            if (message.available_at <= now or message.gather) and message.id not in absorbed:
                due.add(message.queue)
        self.wake(due)

    def backup(self, path: str | os.PathLike[str]) -> Copy:
        """Write a copy of all messages, failures, results and schedules to the file at `path`, while all others work.

        A relative path lies beside the configuration file. `cronq restore` puts the copy back. A file that is copied
        in any other way inside a process that uses it may be damaged by that. Raises CronqError.
        """
        return self.transport.backup(os.path.join(self.settings.base_dir, path))

    def policy(self, task: Task[..., Any], queue: str) -> Retry:
        """Return the retry policy of a task in a queue: the task's own, as changed by `[queues.NAME]`."""
        known = self._policies.get((task.name, queue))
        if known is None:
            of_queue = self.settings.queue(queue)
            known = with_queue_settings(task.options.retry, of_queue.retry, of_queue.max_attempts)
            self._policies[task.name, queue] = known
        return known

    def wake(self, queues: Iterable[str]) -> None:
        """Have idle consumers of some queues look at them now; otherwise they do when their `sleep` is over."""
        if self._is_alone():
            return
        for queue in queues:
            ring(self.state.wake(queue))

    def _is_alone(self) -> bool:
        """Tell whether no other process can see these queues. `testing` changes it for a while."""
        return self.settings.transport.startswith(("memory:", "sync:"))

    def queue_for(self, task: Task[..., Any], wanted: str | None) -> str:
        """Return the queue for a call of a task. Raises UsageError for one that nobody serves."""
        queue = wanted or task.options.queue or DEFAULT_QUEUE
        if queue in self._known_queues or not self.settings.groups:
            return queue
        served = {name for group in self.settings.groups for name in group.queues}
        raise UsageError(
            f"queue {queue!r}: no [[consumers]] entry serves it, so its messages would wait for ever; "
            f"served are {', '.join(sorted(served))}"
        )

    @cached_property
    def _known_queues(self) -> frozenset[str]:
        settings = self.settings
        return frozenset(settings.inline.queues).union(settings.queues, *(group.queues for group in settings.groups))


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

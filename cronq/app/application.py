"""The App: what a project's code talks to."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack

from cronq.app.definitions import Definitions
from cronq.app.enqueuer import Enqueuer
from cronq.app.followers import Followers
from cronq.app.modules import Modules
from cronq.app.project_hooks import ProjectHooks, checked
from cronq.app.registration import Registration
from cronq.app.task_factory import Said
from cronq.app.timetable import Timetable, made
from cronq.app.writer import Writer
from cronq.clock import SystemClock
from cronq.config.of_app import of_app, of_unnamed_app
from cronq.consumer.loaded_code import LoadedCode
from cronq.messages.outbox import Opening
from cronq.tasks.decorator import TaskDecorator
from cronq.tasks.options import delivery_of
from cronq.tasks.task import Task
from cronq.transports.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from typing import Concatenate

    from cronq.app.declarations import Declarations
    from cronq.app.project_hooks import Around, AroundRequest, BeforeEnqueue, Hook, OnUnsent
    from cronq.app.schedule_administration import Schedules
    from cronq.app.workflows import CallGroup, Chain
    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.consumer.runnable import Tasks
    from cronq.host.state_dir import StateDir
    from cronq.messages.follow import Step
    from cronq.schedules.schedule import ScheduleOptions
    from cronq.tasks.batch_task import BatchTask
    from cronq.tasks.decorator import DeliveryOptions, TaskOptions
    from cronq.tasks.ref import Ref
    from cronq.tasks.registry import Registry
    from cronq.tasks.task import Call
    from cronq.testing.box import Box
    from cronq.transports.abilities.copies import Copy
    from cronq.transports.base import Transport
    from cronq.transports.sync import SyncTransport

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")


class App:
    """Holds the tasks of a project and puts their calls into queues.

    `App()` uses the file that CRONQ_CONFIG names, else `cronq.toml` in the working directory, else defaults.
    `dev` says whether this is a developer's machine, where web requests do all the work: give it your own debug flag.
    None: as `dev` in the configuration. Raises ConfigError with every problem the configuration has.
    """

    def __init__(
        self, settings: Settings | None = None, clock: Clock | None = None, *, dev: bool | None = None
    ) -> None:
        settings = settings if settings is not None else of_unnamed_app()
        if dev is not None:
            settings = settings._replace(dev=dev)
        self.installation: Installation = Installation(settings, clock or SystemClock())
        self.code: LoadedCode = LoadedCode()
        self.timetable: Timetable = Timetable()
        self.modules: Modules = Modules(self.settings.modules, self.settings.entry_points)
        self.definitions: Definitions = Definitions(self.installation, self.modules, self.timetable)
        self.hooks: ProjectHooks = ProjectHooks()
        self.followers: Followers = Followers(self.definitions, self._follower)
        self.writer: Writer = Writer(self.definitions, self.followers, self.hooks.before_enqueue)
        self.enqueuer: Enqueuer = Enqueuer(self.installation, self.writer, self.hooks.unsent, self._run_here)
        self.registration: Registration = Registration(self.registry, self.timetable, self.enqueuer)
        if self.modules:
            self.definitions.include(self)
        if self.settings.webhooks:
            from cronq.app.webhook_task import webhook_task

            self.registry.add(webhook_task(self.installation, self.enqueuer))

    @classmethod
    def from_config(cls, path: str | os.PathLike[str], *, dev: bool | None = None) -> App:
        """Return an app configured by the file at `path`. `dev` is as in `App()`.

        A relative path is looked for beside the file that makes this call and in the directories above it, up to the
        end of the project (a home, another owner, `.git` or `pyproject.toml`), then in the working directory: what a
        web server or cron has as its working directory is anybody's guess. A command that imports the project for
        another file (`cronq check --config staging.toml`) hands that one over.

        Raises ConfigError, with all the places that were looked at, or with every problem that the file has. A file
        that another account can write is one: it decides what code runs.
        """
        return cls(of_app(path, sys._getframe(1).f_globals.get("__file__")), dev=dev)

    @property
    def settings(self) -> Settings:
        return self.installation.settings

    @property
    def clock(self) -> Clock:
        return self.installation.clock

    @property
    def state(self) -> StateDir:
        return self.installation.state

    @property
    def transport(self) -> Transport:
        """The transport of the configuration, opened with the first message."""
        return self.installation.transport

    @property
    def registry(self) -> Registry:
        return self.definitions.registry

    @property
    def task(self) -> TaskDecorator:
        """Make a function a task: `@app.task` or `@app.task(queue="high", timeout_s=30)`. Options: see `Options`."""
        return TaskDecorator(self.registration.task)

    @property
    def handler(self) -> TaskDecorator:
        """Make a function a handler of the message class that its first parameter is annotated with: `@app.handler`."""
        return TaskDecorator(self.registration.handler)

    def batch(
        self, /, *, size: int, wait_s: float | timedelta = 1.0, name: str | None = None, **options: Unpack[TaskOptions]
    ) -> Callable[[Callable[Concatenate[list[T], ...], R]], BatchTask[T, R]]:
        """Make a function that takes a list a task that is enqueued with single items: `@app.batch(size=50)`.

        It is called with up to `size` of them, or with what has come within `wait_s` seconds of the first. What failed
        is tried again alone; `PartlyFailed` says that not all did. `options` are those of `task`.
        """
        from cronq.tasks.batch_task import Gather
        from cronq.units import in_seconds

        gather, said = Gather(size, in_seconds(wait_s)), Said(name, options)
        return lambda function: self.registration.batch(function, gather, said)

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
        return self.timetable.marking(made(name or "", "", cron, args, options))

    def include(self, *modules: str) -> None:
        """Have the tasks, handlers and schedules of modules: `app.include("shop.mails", "gallery.*")`.

        Of `gallery.*` all that is below the package belongs to it. Nothing is imported here: consumers do it when they
        start, and whoever dispatches a message object. Tasks made without an App (`from cronq import task`) are had
        by this alone. `modules` in cronq.toml says the same. Raises UsageError for what is no name of a module.
        """
        self.modules.add(modules)
        self.definitions.include(self)

    @cached_property
    def declarations(self) -> Declarations:
        """How the schedules of code and configuration are made known to the tick."""
        from cronq.app.declarations import Declarations

        return Declarations(self.definitions, self.timetable, self.followers)

    @cached_property
    def schedules(self) -> Schedules:
        """What recurs: to look at, and to add to and remove from while the program runs."""
        from cronq.app.schedule_administration import Schedules

        return Schedules(self.declarations)

    def dispatch(self, message: object, **delivery: Unpack[DeliveryOptions]) -> list[Ref[Any]]:
        """Put a message object into its queue, once for each of its handlers. `delivery` is as for `task.using`."""
        wanted = delivery_of(f"dispatch of {type(message).__qualname__}", **delivery)
        return self.enqueuer.post(self.writer.dispatched(message, wanted), wanted.immediately)

    def ref(self, message: str | Ref[T]) -> Ref[T]:
        """Return a ref for a message whose id was kept, in a session say: `app.ref(message_id).status`.

        Or for one that a ref out of a pickle names.
        """
        return self.enqueuer.refs.one(message)

    def enqueue(self, *calls: Call[Any] | object) -> list[Ref[Any]]:
        """Put calls and message objects into their queues in one transaction, all or none, and return their refs.

        `app.enqueue(charge.call(7), mail.using(delay_s=60).call(7), OrderPaid(7))`.
        """
        return self.enqueuer.post([message for one in calls for message in self.writer.written(one)])

    async def adispatch(self, message: object, **delivery: Unpack[DeliveryOptions]) -> list[Ref[Any]]:
        """As `dispatch`, for coroutines: their event loop goes on while the queue is waited for."""
        wanted = delivery_of(f"dispatch of {type(message).__qualname__}", **delivery)
        return await self.enqueuer.post_async(self.writer.dispatched(message, wanted), wanted.immediately)

    def enqueue_in(self, connection: object, *calls: Call[Any] | object) -> list[Ref[Any]]:
        """Put calls and message objects into their queues inside the caller's own transaction, on the same database.

        `connection` is a driver's connection, or one of SQLAlchemy or Django around it. Nothing is there before the
        caller commits, and nothing after a rollback. Consumers look when their `sleep` is over, or when told to
        (`app.wake`). Raises UsageError when the queues are kept elsewhere.
        """
        from cronq.transports.abilities.demand import demanded
        from cronq.transports.abilities.shared_transactions import SharedTransactions

        messages = [message for one in calls for message in self.writer.written(one)]
        shared = demanded(self.transport, SharedTransactions)
        if self.enqueuer.admits(messages):
            shared.enqueue_in(connection, messages)
        return self.enqueuer.refs.of(messages)

    def outbox(self) -> Opening:
        """Hold messages back: sent together at the end of the `with` block, dropped when an exception leaves it.

        `@app.outbox()` above a function, say a click command, does so for every call of it; in a coroutine,
        `async with app.outbox():` lets the event loop go on while the queue is waited for.
        """
        return Opening(self.enqueuer.send, self.enqueuer.thread.run, self.enqueuer.look_after)

    def wake(self, queues: Iterable[str]) -> None:
        """Have idle consumers of some queues look at them now; otherwise they do when their `sleep` is over."""
        self.enqueuer.wake(queues)

    def chain(self, *steps: Call[Any] | Chain | CallGroup | Sequence[Any]) -> Chain:
        """Return calls to be run one after the other: `app.chain(a.call(1), b.call(RESULT)).enqueue()`."""
        from cronq.app.workflows import Chain, Workflows

        return Chain(Workflows(self.definitions, self.writer, self.enqueuer), steps)

    def group(self, *parts: Call[Any] | Chain | CallGroup | Sequence[Any], then: Call[Any] | None = None) -> CallGroup:
        """Return calls to be run at the same time; `then` is run when all have succeeded, RESULT is their results."""
        from cronq.app.workflows import CallGroup, Workflows

        return CallGroup(Workflows(self.definitions, self.writer, self.enqueuer), parts, then)

    def on_failure(self, callback: Task[P, R] | Callable[P, R]) -> Task[P, R]:
        """Enqueue this task, with a Failure, for every message that goes to the failure queue: `@app.on_failure`."""
        task = callback if isinstance(callback, Task) else self.task(callback)
        self.followers.add(task)
        return task

    def _follower(self, call: Call[Any]) -> Step:
        return self.writer.follower(call)

    def testing(self) -> Box:
        """Open a box for a test: `with app.testing() as box:` messages stay in it until the test runs them."""
        from cronq.testing.box import Box

        return Box(self.installation, self.registry, self.runner_tasks, self.enqueuer.announce, self._elsewhere)

    @contextmanager
    def _elsewhere(self, settings: Settings, clock: Clock, transport: Transport) -> Iterator[None]:
        with self.installation.elsewhere(settings, clock, transport):
            self.followers.forget()
            yield
        self.followers.forget()

    def around(self, manager: Around) -> Around:
        """Run every task inside this context manager, made with its Context: clean-up, user context, error reports."""
        self.hooks.arounds.append(checked("around", manager))
        return manager

    def around_request(self, manager: AroundRequest) -> AroundRequest:
        """Let the middleware run every request inside this context manager, made with its WSGI environ."""
        self.hooks.request_arounds.append(checked("around_request", manager))
        return manager

    def reset(self, hook: Hook) -> Hook:
        """Call this after every message, failed ones included, when all arounds are left: to empty caches and the like.

        What it raises is written to the log and changes nothing.
        """
        self.hooks.resets.append(checked("reset", hook))
        return hook

    def disconnect(self, hook: Hook) -> Hook:
        """Call this when connections should be closed: a consumer is idle, or is about to fork an isolated message."""
        self.hooks.disconnects.append(checked("disconnect", hook))
        return hook

    def before_enqueue(self, hook: BeforeEnqueue) -> BeforeEnqueue:
        """Call this before every enqueue with the headers of the message, to add to them."""
        self.hooks.before_enqueue.append(checked("before_enqueue", hook))
        return hook

    def on_unsent(self, hook: OnUnsent) -> OnUnsent:
        """Call this with an Unsent and its messages when the store cannot be written: `@app.on_unsent`.

        Wherever it was: at an enqueue, at the end of an outbox, of a request. When it returns something true it has
        taken them (to a file, to a mail), and all goes on as if they had been sent; otherwise the Unsent is raised.
        """
        self.hooks.unsent.append(checked("on_unsent", hook))
        return hook

    def backup(self, path: str | os.PathLike[str]) -> Copy:
        """Write a copy of all messages, failures, results and schedules to the file at `path`, while all others work.

        A relative path lies beside the configuration file. `cronq restore` puts the copy back. A file that is copied
        in any other way inside a process that uses it may be damaged by that. Raises CronqError.
        """
        from cronq.transports.abilities.copies import Copies
        from cronq.transports.abilities.demand import demanded

        return demanded(self.transport, Copies).backup(os.path.join(self.settings.base_dir, path))

    def runner_tasks(self, *, isolated: bool = False) -> Tasks:
        """Return what a runner is told of this app. `isolated`: every message has a process of its own."""
        from cronq.app.runner_tasks import tasks_of

        return tasks_of(self.definitions, self.hooks, self.enqueuer.send, isolated)

    def _run_here(self, transport: SyncTransport) -> None:
        from cronq.app.immediate import run_here
        from cronq.consumer.runner import Runner

        runner = Runner(self.runner_tasks(), self.clock, passes=lambda error: True)
        try:
            run_here(runner, transport, self.settings.failures_keep_s, self.enqueuer.announce)
        finally:
            runner.close()

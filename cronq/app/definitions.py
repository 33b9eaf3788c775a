"""What a project defines: its tasks, and what its configuration makes of them."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cronq.app.modules import missing_line
from cronq.errors import UnknownTaskError, UsageError
from cronq.tasks.module_name import settled
from cronq.tasks.options import with_queue_settings
from cronq.tasks.registry import Registry
from cronq.tasks.routing import DEFAULT_QUEUE, queues_of_class, queues_of_task

if TYPE_CHECKING:
    from cronq.app.modules import Modules
    from cronq.app.shared_tasks import Includer, SharedTasks
    from cronq.app.timetable import Timetable
    from cronq.messages.message import Message
    from cronq.messages.rate import Rate
    from cronq.tasks.retry import Retry
    from cronq.tasks.task import Task
    from cronq.transports.installation import Installation


class Definitions:
    """Tasks by name, and for a task in a queue what task, `[queues.NAME]` and `[[consumers]]` say together."""

    def __init__(self, installation: Installation, modules: Modules, timetable: Timetable) -> None:
        self.installation = installation
        self.registry: Registry = Registry()
        self._modules = modules
        self._timetable = timetable
        self._shared: SharedTasks | None = None  # when there may be some
        self._policies: dict[tuple[str, str], Retry] = {}

    def include(self, includer: Includer) -> None:
        """Let an app have those shared tasks that its modules hold."""
        from cronq.app.shared_tasks import SHARED

        self._shared = SHARED
        SHARED.includers.add(includer)

    def complete(self) -> None:
        """Import all modules whose tasks belong to the app. Raises ConfigError; what they raise themselves, passes."""
        if self._modules:
            self._modules.import_all()
            self._adopt()

    def find(self, name: str) -> Task[..., Any]:
        """Return the task of that name, of a module that is imported now if need be. Raises UnknownTaskError."""
        try:
            return self.registry.get(name)
        except UnknownTaskError as error:
            if not self._modules or not self._modules.import_for(settled(name)):
                raise UnknownTaskError(f"{error}{self._unimported(name)}") from None
            self._adopt()
            return self.registry.get(name)

    def _unimported(self, task: str) -> str:
        """Say which line may be missing, when nobody has imported the module that the name of a task begins with."""
        module = task.rpartition(".")[0]
        if not module or module in sys.modules or any(one.name.startswith(f"{module}.") for one in self.registry):
            return ""
        return f"; {module} is not imported: modules = [{module!r}] in cronq.toml would do that"

    def handlers(self, message_class: type) -> list[Task[..., Any]]:
        """Return all handlers of a message class. Raises UsageError when there is none."""
        self.complete()  # one more may be where nobody has looked yet
        return self.registry.handlers(message_class)

    def own(self, task: Task[..., Any]) -> None:
        """Take a task that is to be enqueued for one of the app's. Raises UsageError when it is none."""
        if task in self.registry:
            self._warn_if_unknown(task)
            return
        if not self._modules.may_have(task):
            raise UsageError(missing_line(task))
        self.registry.add(task)

    def _warn_if_unknown(self, task: Task[..., Any]) -> None:
        app = self.installation.settings.app
        if app is None or self.installation.is_alone or task.function.__module__ == app.partition(":")[0]:
            return  # consumers import the module of the app before all others
        from cronq.app.unknown_tasks import warn_if_unknown

        warn_if_unknown(self.installation, task)

    def _adopt(self) -> None:
        """Enter the shared tasks of the app's modules, as far as they are imported, with their schedules."""
        if self._shared is None:
            return
        tasks = [task for task in self._shared.registry if self._modules.may_have(task)]
        for task in tasks:
            self.registry.add(task)
        self._timetable.take_over({task.name for task in tasks}, self._shared.timetable)

    def queue_for(self, task: Task[..., Any], wanted: str | None) -> str:
        """Return the queue for what is one message. Raises UsageError for one that nobody serves, and for several."""
        queues = self.queues_for(task, wanted)
        if len(queues) > 1:
            raise UsageError(
                f"{task.name} goes to several queues ({', '.join(queues)}), and this is one message: say which one it "
                f"is for, queue={queues[0]!r}"
            )
        return queues[0]

    def queues_for(self, task: Task[..., Any], wanted: str | None) -> tuple[str, ...]:
        """Return the queues for a call of a task. Raises UsageError for one that nobody serves."""
        queues = (wanted,) if wanted else self.queues_of(task)
        for queue in queues:
            self._refuse_unserved(queue)
        return queues

    def queues_of(self, task: Task[..., Any]) -> tuple[str, ...]:
        """Return the queues of a task.

        They are what `[routing]` says of its name, what stands at the task, what its message class says, or `normal`.
        """
        routing, own = self.installation.settings.routing, task.options.queue
        by_name = queues_of_task(task.name, routing) if routing else ()
        by_option = ((own,) if isinstance(own, str) else tuple(own)) if own else ()
        by_class = queues_of_class(task.message_class, routing) if task.message_class is not None else ()
        return by_name or by_option or by_class or (DEFAULT_QUEUE,)

    def apart(self, task: Task[..., Any], queue: str | None) -> str:
        """Return the queue that was asked for when it is another of a task's several than the first, else ""."""
        return queue if queue and queue in self.queues_of(task)[1:] else ""

    def _refuse_unserved(self, queue: str) -> None:
        groups = self.installation.settings.groups
        if queue in self._known_queues or not groups:
            return
        served = {name for group in groups for name in group.queues}
        raise UsageError(
            f"queue {queue!r}: no [[consumers]] entry serves it, so its messages would wait for ever; "
            f"served are {', '.join(sorted(served))}"
        )

    @cached_property
    def _known_queues(self) -> frozenset[str]:
        settings = self.installation.settings
        return frozenset(settings.inline.queues).union(settings.queues, *(group.queues for group in settings.groups))

    def policy(self, task: Task[..., Any], queue: str) -> Retry:
        """Return the retry policy of a task in a queue: the task's own, as changed by `[queues.NAME]`."""
        known = self._policies.get((task.name, queue))
        if known is None:
            known = self._policies[task.name, queue] = self.changed(task.options.retry, queue)
        return known

    def changed(self, retry: Retry, queue: str) -> Retry:
        """Return what `[queues.NAME]` makes of a policy."""
        of_queue = self.installation.settings.queue(queue)
        return with_queue_settings(retry, of_queue.retry, of_queue.max_attempts)

    def policy_of(self, task: Task[..., Any], message: Message) -> Retry:
        """Return the retry policy of one message: of its call, else of its task, as changed by `[queues.NAME]`."""
        from cronq.tasks.own_options import own_options

        own = own_options(message.headers).retry
        return self.policy(task, message.queue) if own is None else self.changed(own, message.queue)

    def timeout_of(self, task: Task[..., Any], message: Message) -> float | None:
        """Return how long an attempt at a message may take; None: as long as it likes.

        Raises BodyError for headers that cannot be read, whether they matter here or not: this is asked first, while
        the message can still go to the failure queue or be left to newer code.
        """
        own = None
        if message.headers:
            from cronq.tasks.own_options import own_options

            own = own_options(message.headers).timeout_s
        configured = self.installation.settings.queue(message.queue).timeout_s
        if configured is not None:
            return configured
        return task.options.timeout_s if own is None else own

    def result_ttl_of(self, task: Task[..., Any], message: Message) -> float:
        """Return how long the result of a message is kept."""
        configured = self.installation.settings.queue(message.queue).result_ttl_s
        if configured is not None:
            return configured
        if not message.headers:
            return task.options.result_ttl_s
        from cronq.tasks.own_options import own_options

        own = own_options(message.headers).result_ttl_s
        return task.options.result_ttl_s if own is None else own

    def rates(self) -> dict[str, Rate]:
        """Return the rates of tasks and queues, as code and configuration say now."""
        said = {f"task:{task.name}": task.options.rate for task in self.registry}
        said |= {f"queue:{name}": queue.rate for name, queue in self.installation.settings.queues.items()}
        wanted = {name: rate for name, rate in said.items() if rate is not None}
        if not wanted:
            return {}
        from cronq.messages.rate import parse

        return {name: parse(rate) for name, rate in wanted.items()}

"""Putting messages into their queues, and waking who waits for them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

from cronq.app.asynchronous import OneThread
from cronq.app.refs import AppRefs
from cronq.errors import CronqError, StateDirError, SyncError, TransportError
from cronq.events import emit
from cronq.host.bell import ring
from cronq.messages.outbox import hold
from cronq.messages.unsent import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

    from cronq.app.project_hooks import OnUnsent
    from cronq.app.writer import Writer
    from cronq.messages.message import Message
    from cronq.tasks.options import Delivery
    from cronq.tasks.ref import Ref
    from cronq.tasks.task import Pairs, Task
    from cronq.transports.admission import Admission
    from cronq.transports.installation import Installation
    from cronq.transports.sync import SyncTransport


LOOK_EVERY_S = 1.0


class Enqueuer:
    """Enqueues for one installation. `run_here` runs what `sync://` has taken, here and now."""

    def __init__(
        self,
        installation: Installation,
        writer: Writer,
        on_unsent: Sequence[OnUnsent],
        run_here: Callable[[SyncTransport], None],
    ) -> None:
        self._installation = installation
        self._writer = writer
        self._on_unsent = on_unsent
        self._run_here = run_here
        self._next_look = 0.0  # monotonic
        self.thread: OneThread = OneThread()
        self.refs: AppRefs = AppRefs(writer.definitions)

    def send_calls(self, task: Task[..., Any], calls: Pairs, delivery: Delivery) -> list[Ref[Any]]:
        """Write calls of a task as messages and put them into its queue. The tasks' own methods end here."""
        return self.post(self._writer.messages(task, calls, delivery), delivery.immediately)

    async def send_calls_async(self, task: Task[..., Any], calls: Pairs, delivery: Delivery) -> list[Ref[Any]]:
        """As `send_calls`; an event loop goes on while the queue is waited for."""
        return await self.post_async(self._writer.messages(task, calls, delivery), delivery.immediately)

    async def post_async(self, messages: list[Message], immediately: bool = False) -> list[Ref[Any]]:
        """As `post`; an event loop goes on while the queue is waited for."""
        admission = self._installation.admission
        if admission is not None and not await self.thread.run(lambda: self._admits(admission, messages)):
            return self.refs.of(messages)
        outbox = None if immediately else hold(messages, self.send)
        refs = self.refs.of(messages, outbox)
        if outbox is None:
            await self.thread.run(lambda: self.send_and_look(messages))
        return refs

    def post(self, messages: list[Message], immediately: bool = False) -> list[Ref[Any]]:
        """Put messages into the open outbox, or send them if there is none.

        Limits of the configuration refuse them here, where the caller can still do something else: raises QueueFull.
        """
        admission = self._installation.admission
        if admission is not None and not self._admits(admission, messages):
            return self.refs.of(messages)
        outbox = None if immediately else hold(messages, self.send)
        refs = self.refs.of(messages, outbox)
        if outbox is None:
            self.send_and_look(messages)
        return refs

    def admits(self, messages: Sequence[Message]) -> bool:
        """Tell whether messages may be put into their queues. False: not, and a hook of the project has taken them.

        Raises QueueFull when none has.
        """
        admission = self._installation.admission
        return admission is None or self._admits(admission, messages)

    def _admits(self, admission: Admission, messages: Sequence[Message]) -> bool:
        try:
            admission.admit(messages)
        except QueueFull as error:
            from cronq.app.last_resort import hand_over

            hand_over(error, self._on_unsent)
            return False
        return True

    def send_and_look(self, messages: list[Message]) -> None:
        """Send messages, then see to it that somebody is there to run them."""
        self.send(messages)
        self.look_after(messages)

    def look_after(self, messages: Sequence[Message]) -> None:
        """Start a consumer where nobody is ready for messages that were sent just now. Looks once a second at most.

        Web requests do so themselves, when their response is over.
        """
        installation = self._installation
        now = installation.clock.monotonic()
        if now < self._next_look or installation.is_alone:
            return
        due = self._due(messages)
        if due:
            self._next_look = now + LOOK_EVERY_S
            if os.path.exists(installation.state.ticks):  # else nobody expects consumers: import nothing
                from cronq.supervisor.glance import are_served

                if not are_served(installation.state, due):
                    self._call_for_help(due)

    def _call_for_help(self, queues: Iterable[str]) -> None:
        from cronq.supervisor.help import Help
        from cronq.supervisor.permission import may_start

        try:
            Help(self._installation, may_start).for_waiting(sorted(queues))
        except (CronqError, OSError) as error:  # the messages are where they belong
            emit("trouble", error=error)

    def send(self, messages: list[Message]) -> None:
        """Put messages into their queues now, in one transaction, and wake idle consumers.

        Raises Unsent when they are not there, and no hook of the project has taken them.
        """
        if not messages:
            return
        installation = self._installation
        try:
            absorbed = installation.transport.enqueue(messages, lambda absorbed: self._wake_for(messages, absorbed))
        except SyncError:  # they are there, for all to see
            raise
        except (TransportError, StateDirError) as error:
            from cronq.app.last_resort import keep

            keep(installation, messages, error, self._on_unsent)
            return
        if absorbed:
            self.refs.learn(absorbed)
            emit("absorbed", absorbed=absorbed, messages=[one for one in messages if one.id in absorbed])
        emit("submitted", messages=[one for one in messages if one.id not in absorbed] if absorbed else messages)
        if installation.settings.transport.startswith("sync:"):
            self._run_here(cast("SyncTransport", installation.transport))

    def announce(self, messages: Sequence[Message]) -> None:
        """Tell who listens that messages were put into their queues, and wake consumers that wait for them."""
        emit("submitted", messages=messages)
        self._wake_for(messages)

    def _wake_for(self, messages: Sequence[Message], absorbed: Container[str] = ()) -> None:
        self.wake(self._due(messages, absorbed))

    def _due(self, messages: Sequence[Message], absorbed: Container[str] = ()) -> set[str]:
        now, due = self._installation.clock.now(), set()
        for message in messages:  # a loop: the cells of a comprehension take longer
            if (message.available_at <= now or message.gather) and message.id not in absorbed:
                due.add(message.queue)
        return due

    def wake(self, queues: Iterable[str]) -> None:
        """Have idle consumers of some queues look at them now; otherwise they do when their `sleep` is over."""
        if self._installation.is_alone:
            return
        for queue in queues:
            ring(self._installation.state.wake(queue))

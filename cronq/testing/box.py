"""A box for tests: while it is open, the app's messages stay in it, and the test says when they are run."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from cronq import events
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.lifetime import Leaving
from cronq.consumer.limits import MessageLimit
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.post import NoPost
from cronq.consumer.rest import NoRest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.errors import CronqError
from cronq.messages.message import State
from cronq.messages.outbox import shelved
from cronq.namedtuple import NamedTuple
from cronq.testing.recorder import MovableClock, RecordingTransport
from cronq.testing.records import Recorded, Records
from cronq.transports.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.consumer.runnable import Tasks
    from cronq.messages.message import Message
    from cronq.tasks.registry import Registry
    from cronq.transports.base import Transport
    from cronq.transports.installation import Installation

    Elsewhere = Callable[[Settings, Clock, Transport], AbstractContextManager[None]]

_FAILS = frozenset({"failed", "ended_once"})
_ALL = 1_000_000_000  # rows in one page


class Failed(NamedTuple):
    """A message that was given up, and what ended its last attempt."""

    message: Recorded
    error: BaseException


class Box(Records):
    """`with app.testing() as box:` what is enqueued goes into the box, and is run when the test says so.

    Nothing is written to disk, no consumer is started or woken, web requests do no work, webhooks are off.
    Delayed messages become due as the clock goes: that of the process (which freezegun may hold), and `advance()`.
    `tasks`, `announce` and `elsewhere` are an app's: what a runner is told, whom to tell of what follows a message, and
    having another configuration, clock and transport for a while.
    """

    def __init__(
        self,
        installation: Installation,
        registry: Registry,
        tasks: Callable[[], Tasks],
        announce: Callable[[Sequence[Message]], None],
        elsewhere: Elsewhere,
    ) -> None:
        self._installation = installation
        self._tasks = tasks
        self._announce = announce
        self._elsewhere = elsewhere
        self._clock = MovableClock(installation.clock)
        super().__init__(RecordingTransport(self._clock), registry)
        self._failed: list[Failed] = []
        self._before = ExitStack()

    def __enter__(self) -> Box:
        settings = self._installation.settings
        inline = settings.inline._replace(mode="off")
        boxed = settings._replace(transport="memory://", inline=inline, webhooks=())
        self._before.enter_context(self._elsewhere(boxed, self._clock, self._transport))
        self._before.enter_context(shelved())
        return self

    def __exit__(self, *raised: object) -> None:
        self._before.close()

    @property
    def failed(self) -> list[Failed]:
        """What was given up, with the exceptions, in the order of their ends."""
        return list(self._failed)

    def run_one(self) -> Recorded | None:
        """Make one attempt at the next message that is due and return it, None when none is.

        An exception that ends the message for good is raised; one that is to be retried is not.
        """
        with _hearing() as heard:
            self._consume(most=1)
        _raise_first(self._take(heard))
        return self.recorded(heard[0][1]["message"].id) if heard else None

    def run_all(self, *, raises: bool = True, most: int = 10_000) -> int:
        """Run what is due, and what that enqueues, until nothing is; return how many attempts were made.

        Retries and batches do not wait: the clock of the box is moved on to each. What was enqueued with a delay waits
        for its time. When all is done, the first exception that ended a message for good is raised, unless `raises` is
        False; all are in `failed`. More than `most` attempts: AssertionError, something enqueues itself for ever.
        """
        attempts = 0
        with _hearing() as heard:
            while True:
                attempts += self._consume(most - attempts)
                is_more = self._transport.depth(self._queues(), 1) or self._skip_to_retry()
                if not is_more:
                    break
                if attempts >= most:
                    raise AssertionError(f"{most} attempts, and more is due: does a task enqueue or retry for ever?")
        errors = self._take(heard)
        if raises:
            _raise_first(errors)
        return attempts

    def advance(self, seconds: float) -> None:
        """Move the clock of the app on: what is delayed until then becomes due. The system's clock stays."""
        self._clock.ahead_s += seconds

    def _consume(self, most: int) -> int:
        tally = Tally()
        leaving = Leaving(tally, [MessageLimit(most)])
        conditions = Conditions(leaving, tally, NoRest(), self._clock, BatchSize(most=1), followed=self._announce)
        runner = Runner(self._tasks(), self._clock)
        duty = Duty(self._queues(), lapse_s=0.0, stop_when_empty=True)
        try:
            Consumer(self._transport, runner, duty, NoPost(), conditions).run()
        finally:
            runner.close()
        return tally.messages

    def _queues(self) -> Sequence[str]:
        served = [queue for group in self._installation.settings.groups for queue in group.queues]
        return tuple(dict.fromkeys([*served, *(counts.queue for counts in self._transport.counts())]))

    def _skip_to_retry(self) -> bool:
        """Move the clock on to the next retry, or the end of a batch's waiting; False when nothing waits so."""
        delayed = [one.message for one in self._transport.select(Selection(State.DELAYED, at_most=_ALL))]
        retries = [one.available_at for one in delayed if one.attempt or one.cursor or one.gather]
        if retries:
            self.advance(max(0.0, min(retries) - self._clock.now()))
        return bool(retries)

    def _take(self, heard: list[tuple[str, Mapping[str, Any]]]) -> list[BaseException]:
        """Remember what was given up, and return the exceptions."""
        new = []
        for name, facts in heard:
            if name in _FAILS and facts["message"].id in self._transport.recorded:
                error = facts["error"]
                raised = error if isinstance(error, BaseException) else CronqError(f"{facts['message'].task}: {error}")
                new.append(Failed(self.recorded(facts["message"].id), raised))
        self._failed += new
        return [one.error for one in new]


def _raise_first(errors: Sequence[BaseException]) -> None:
    if not errors:
        return
    first, *others = errors
    if others:
        first.add_note(f"more messages failed, {len(others)} of them: see box.failed")
    raise first


@contextmanager
def _hearing() -> Iterator[list[tuple[str, Mapping[str, Any]]]]:
    """Listen to what becomes of messages that this thread runs."""
    heard: list[tuple[str, Mapping[str, Any]]] = []
    thread = threading.get_ident()

    def listen(name: str, facts: Mapping[str, Any]) -> None:
        if "message" in facts and threading.get_ident() == thread:
            heard.append((name, facts))

    events.listeners.append(listen)
    try:
        yield heard
    finally:
        events.listeners.remove(listen)

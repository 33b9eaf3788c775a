"""The consumer: reserve, run, settle, rest, until there is a reason to leave."""

from __future__ import annotations

import gc
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING

from cronq.consumer.batch_size import TARGET_S
from cronq.consumer.foresight import LONG_S
from cronq.consumer.ledger import Ledger
from cronq.consumer.outcomes import interrupted
from cronq.consumer.runnable import Runnable
from cronq.errors import TransportError
from cronq.events import emit
from cronq.messages.message import Ack, Fail, Message, Outcome, Release
from cronq.namedtuple import NamedTuple
from cronq.transports.exchange import Want

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.clock import Clock
    from cronq.consumer.batch_size import BatchSize
    from cronq.consumer.foresight import Foresight
    from cronq.consumer.lifetime import Leaving
    from cronq.consumer.post import Post
    from cronq.consumer.rest import NoRest, Rest
    from cronq.consumer.runner import Runner
    from cronq.consumer.tally import Tally
    from cronq.messages.rate import Rate
    from cronq.transports.abilities.queues import Queues

SHARE_AFTER_S = 2 * TARGET_S  # a batch that takes so long was misjudged: others may have what is left of it
_TROUBLE_WAIT_S = 30.0
_PATIENT_TRIES = 3  # of a consumer that is meant to leave soon


class Duty(NamedTuple):
    """What a consumer serves: its queues in strict order, reserved for `lapse_s`, save some tasks it must not run.

    With `stop_when_empty` it leaves when nothing is ready, otherwise it waits for more. `rates` are those in force.
    """

    queues: Sequence[str]
    lapse_s: float
    stop_when_empty: bool = False
    without_tasks: Sequence[str] = ()
    rates: Mapping[str, Rate] = MappingProxyType({})


class Conditions(NamedTuple):
    """What a consumer works under.

    `looked` is told whenever the consumer looks at its queues, and whether it found something: it refreshes the alive
    marks. `followed` is told what was enqueued in the commit of an ending. `share_after` starts the countdown after
    which `Consumer.share` is called in the middle of a message; None seconds stop it. With `ack_each` every message is
    acked in a commit of its own, before the next one starts. `first_position` numbers the first reservation.
    `foresight` is told of messages that may be long, and `tied_up` is called in the middle of one that is.
    """

    leaving: Leaving
    tally: Tally
    rest: Rest | NoRest
    clock: Clock
    batch: BatchSize
    looked: Callable[[bool], None] = lambda busy: None
    share_after: Callable[[float | None, Callable[[], bool]], None] = lambda seconds, share: None
    followed: Callable[[Sequence[Message]], None] = lambda messages: None
    ack_each: bool = False
    first_position: int = 1
    foresight: Foresight | None = None
    tied_up: Callable[[], None] = lambda: None


class Consumer:
    """Runs messages one after the other. `step()` can be called by hand in tests."""

    def __init__(self, transport: Queues, runner: Runner, duty: Duty, post: Post, conditions: Conditions) -> None:
        self._transport = transport
        self._runner = runner
        self._duty = duty
        self._post = post
        self._leaving = conditions.leaving
        self._tally = conditions.tally
        self._rest = conditions.rest
        self._clock = conditions.clock
        self._batch = conditions.batch
        self._looked = conditions.looked
        self._share_after = conditions.share_after
        self._foresight = conditions.foresight
        self._tied_up = conditions.tied_up
        self._ledger = Ledger(transport, post, conditions.followed, conditions.ack_each)
        self._waiting: deque[Message] = deque()
        self._position = conditions.first_position
        self._batch_began = self._clock.monotonic()
        self._batch_count = 0
        self._expects_work = False

    def run(self) -> str:
        """Consume until there is a reason to leave; return it. Raises TransportError when the queue is beyond use."""
        reason = None
        try:
            while reason is None:
                reason = self.step()
        finally:
            self._hand_over()
        return reason

    @property
    def position(self) -> int:
        """The number that the next reservation will get."""
        return self._position

    def step(self) -> str | None:
        """Run one message, or look for messages, or rest. Return the reason to leave, if there is one now."""
        reason = self._leaving.reason()
        if reason:
            return reason
        try:
            if self._ledger.late:
                self._ledger.send_late()
            if self._waiting or self._refill():
                self._run_next()
            elif self._duty.stop_when_empty:
                return "all queues are empty"
            else:
                self._idle()
        except TransportError as error:
            self._bear(error)
        return None

    def share(self) -> bool:
        """Give back what waits behind a message that turned out long. False: not now, ask again."""
        if self._waiting and not self._give_back():
            return False
        self._share_after(LONG_S - SHARE_AFTER_S, self.call_others)
        return True

    def call_others(self) -> bool:
        """Have others come for what is ready, since this message goes on and on. False: not now, ask again."""
        if self._transport.is_busy():
            return False
        self._tied_up()
        return True

    def _give_back(self) -> bool:
        if self._transport.is_busy():
            return False
        waiting = [Release(message, uncounted=True) for message in self._waiting]
        try:
            self._transport.exchange(self._post.holder, waiting, None)
        except TransportError:
            return False
        self._batch_count -= len(waiting)  # what others run tells nothing of how long ours take
        self._waiting.clear()
        self._rest.pass_on()
        return True

    def _refill(self) -> bool:
        """Settle what has ended and reserve the next batch, in one commit."""
        self._share_after(None, self.share)
        self._batch.learn(self._batch_count, self._clock.monotonic() - self._batch_began)
        self._batch_count = 0
        duty, size, expects_work = self._duty, self._batch.size, self._expects_work
        until = self._clock.now() + duty.lapse_s
        want = Want(duty.queues, until, size, self._position, self._without_tasks(), duty.rates, expects_work)
        self._expects_work = False
        exchange = self._ledger.settle(want)
        self._waiting.extend(exchange.messages)
        self._position += len(exchange.messages)
        self._looked(bool(exchange.messages))
        if not exchange.messages:
            return False
        self._batch_began = self._clock.monotonic()
        self._batch_count = len(exchange.messages)
        if exchange.more and self._tally.idle_since is not None:
            self._rest.pass_on()
        self._tally.idle_since = None
        if self._batch_count == 1 or exchange.messages[0].gather:  # those are run in one call: none waits behind
            self._share_after(LONG_S, self.call_others)
        else:
            self._share_after(SHARE_AFTER_S, self.share)
        return True

    def _run_next(self) -> None:
        if self._ledger.is_due:
            self._ledger.settle()
        try:
            message = self._waiting.popleft()
        except IndexError:  # share(), called by the timer, has just given all of them back
            return
        self._post.note(message.position)  # before its body is read: what kills while it is decoded is poison, too
        runnable = self._runner.prepare(message)
        if self._foresight is not None and message.task not in self._foresight.short:
            self._foresight.before(message.task)
        if not isinstance(runnable, Runnable):
            self._end_unrun(runnable)
        elif runnable.task.options.ack_first:
            self._run_once_at_most(message, runnable)
        elif message.gather and runnable.may_gather:
            self._run_together(message, runnable)
        else:
            if message.gather and self._waiting:
                self._share_after(SHARE_AFTER_S, self.share)
            self._run_alone(message, runnable)

    def _end_unrun(self, outcome: Release | Fail) -> None:
        if isinstance(outcome, Release):
            self._leave(outcome)
        else:
            emit("failed", message=outcome.message, error=outcome.error)
            self._end(outcome)

    def _leave(self, outcome: Release) -> None:
        """Give a message back that is for newer code, in one commit with those waiting here that are as well."""
        self._ledger.add(outcome)
        waiting, self._waiting = self._waiting, deque()  # share() finds them before or after this, never between
        left_out = self._runner.left_out
        for message in waiting:
            if message.task in left_out:
                self._ledger.add(Release(message, uncounted=True))
        self._waiting = deque(message for message in waiting if message.task not in left_out)

    def _without_tasks(self) -> Sequence[str]:
        left_out = self._runner.left_out
        return [*self._duty.without_tasks, *left_out] if left_out else self._duty.without_tasks

    def _run_alone(self, message: Message, runnable: Runnable) -> None:
        self._note_end(message, runnable)
        try:
            outcome = self._runner.run(message, runnable)
        except BaseException as error:  # the process is told to end: give the message back and let it
            self._ledger.add(interrupted(message, error))
            raise
        self._end(outcome)

    def _run_together(self, message: Message, runnable: Runnable) -> None:
        """Run a message with the others of its batch in one call."""
        from cronq.consumer.batch_run import run_batch

        self._note_end(message, runnable)
        waiting, self._waiting = self._waiting, deque()  # share() finds them before or after this, never between
        others = [waiting.popleft() for _ in range(min(len(waiting), runnable.task.gather - 1))]
        self._waiting = waiting
        for outcome in run_batch(self._runner, (message, runnable), others, self._ledger):
            self._end(outcome)

    def _run_once_at_most(self, message: Message, runnable: Runnable) -> None:
        """Ack, then run: a crash loses the message rather than running it twice, as its task asked for."""
        try:
            lost = self._ledger.settle(after=[Ack(message)]).lost
        except TransportError:
            self._waiting.appendleft(message)
            raise
        if message.id not in lost:
            self._note_end(message, runnable)
            outcome = self._runner.run(message, runnable)
            self._tally.count(outcome, self._clock)
            if not isinstance(outcome, Release) and outcome.then:
                self._ledger.late = outcome.then
                self._ledger.send_late()

    def _end(self, outcome: Outcome) -> None:
        self._ledger.add(outcome)
        self._tally.count(outcome, self._clock)

    def _note_end(self, message: Message, runnable: Runnable) -> None:
        if runnable.timeout_s is not None:
            self._post.note(message.position, self._clock.monotonic() + runnable.timeout_s)

    def _next_position(self) -> int:
        return self._waiting[0].position if self._waiting else self._position

    def _idle(self) -> None:
        if self._tally.idle_since is None:
            self._post.note_idle(self._position)
            gc.collect()
            self._tally.idle_since = self._clock.monotonic()
        else:  # one whole rest, and still nothing to do
            self._runner.disconnect()
        queues, without = self._duty.queues, self._without_tasks()  # what is left out must not keep it awake
        self._expects_work = self._rest.until_work(
            lambda: self._transport.depth(queues, 1, without) > 0, lambda: self._transport.next_at(queues, without)
        )

    def _bear(self, error: TransportError) -> None:
        """Wait out a full disk or a held lock; nothing is lost meanwhile. Anything else ends the consumer."""
        troubles = self._ledger.troubles = self._ledger.troubles + 1
        if not error.pressure or (self._duty.stop_when_empty and troubles > _PATIENT_TRIES):
            raise error
        self._ledger.note(self._next_position())
        emit("trouble", error=error)
        self._rest.briefly(min(2.0**troubles / 4, _TROUBLE_WAIT_S))

    def _hand_over(self) -> None:
        self._share_after(None, self.share)
        self._ledger.hand_over(self._waiting, self._next_position())

"""The consumer: reserve, run, settle, rest, until there is a reason to leave."""

from __future__ import annotations

import gc
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from cronq.attempts import Cause
from cronq.consumer.batch import TARGET_S
from cronq.errors import TransportError
from cronq.events import emit
from cronq.message import Ack, Fail, Message, Outcome, Release
from cronq.transports.base import Want

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.clock import Clock
    from cronq.consumer.batch import BatchSize
    from cronq.consumer.leaving import Leaving
    from cronq.consumer.limits import Progress
    from cronq.consumer.post import Post
    from cronq.consumer.rest import NoRest, Rest
    from cronq.consumer.runner import Call, Runner
    from cronq.transports.base import Transport

SHARE_AFTER_S = 2 * TARGET_S  # a batch that takes so long was misjudged: others may have what is left of it
_TROUBLE_WAIT_S = 30.0
_PATIENT_TRIES = 3  # of a consumer that is meant to leave soon


class Duty(NamedTuple):
    """What a consumer serves: its queues in strict order, reserved for `lapse_s`, save some tasks it must not run.

    With `stop_when_empty` it leaves when nothing is ready, otherwise it waits for more.
    """

    queues: Sequence[str]
    lapse_s: float
    stop_when_empty: bool = False
    without_tasks: Sequence[str] = ()


class Conditions(NamedTuple):
    """What a consumer works under.

    `looked` is told whenever the consumer looks at its queues, and whether it found something: it refreshes the alive
    marks. `share_after` starts the countdown after which `Consumer.share` is called in the middle of a message; None
    seconds stop it. `first_position` numbers the first reservation.
    """

    leaving: Leaving
    progress: Progress
    rest: Rest | NoRest
    clock: Clock
    batch: BatchSize
    looked: Callable[[bool], None] = lambda busy: None
    share_after: Callable[[float | None, Callable[[], bool]], None] = lambda seconds, share: None
    first_position: int = 1


class Consumer:
    """Runs messages one after the other. `step()` can be called by hand in tests."""

    def __init__(self, transport: Transport, runner: Runner, duty: Duty, post: Post, conditions: Conditions) -> None:
        self._transport = transport
        self._runner = runner
        self._duty = duty
        self._post = post
        self._leaving = conditions.leaving
        self._progress = conditions.progress
        self._rest = conditions.rest
        self._clock = conditions.clock
        self._batch = conditions.batch
        self._looked = conditions.looked
        self._share_after = conditions.share_after
        self._waiting: deque[Message] = deque()
        self._ended: list[Outcome] = []
        self._position = conditions.first_position
        self._batch_began = self._clock.monotonic()
        self._batch_count = 0
        self._troubles = 0

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
        if not self._waiting:
            return True
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
        self._learn()
        until = self._clock.now() + self._duty.lapse_s
        want = Want(self._duty.queues, until, self._batch.size, self._position, self._duty.without_tasks)
        exchange = self._transport.exchange(self._post.holder, self._ended, want)
        self._settled(exchange.lost)
        self._waiting.extend(exchange.messages)
        self._position += len(exchange.messages)
        self._looked(bool(exchange.messages))
        if not exchange.messages:
            return False
        self._batch_began = self._clock.monotonic()
        self._batch_count = len(exchange.messages)
        if exchange.more and self._progress.idle_since is not None:
            self._rest.pass_on()
        self._progress.idle_since = None
        if self._batch_count > 1:
            self._share_after(SHARE_AFTER_S, self.share)
        return True

    def _run_next(self) -> None:
        if self._ended and not _is_plain(self._ended[-1]):
            self._settle()
        try:
            message = self._waiting.popleft()
        except IndexError:  # share(), called by the timer, has just given all of them back
            return
        self._post.note(message.position)  # before its body is read: what kills while it is decoded is poison, too
        call = self._runner.prepare(message)
        if isinstance(call, Fail):
            emit("failed", message=message, error=call.error)
            self._end(call)
        elif call.task.options.ack_first:
            self._run_once_at_most(message, call)
        else:
            self._note_end(message, call)
            self._end(self._attempt(message, call))

    def _attempt(self, message: Message, call: Call) -> Outcome:
        try:
            return self._runner.run(message, call)
        except BaseException as error:  # the process is told to end: give the message back and let it
            said = f"interrupted by {type(error).__name__}"
            self._ended.append(Release(message, error=said, cause=Cause(type(error).__name__, said)))
            raise

    def _run_once_at_most(self, message: Message, call: Call) -> None:
        """Ack, then run: a crash loses the message rather than running it twice, as its task asked for."""
        try:
            lost = self._transport.exchange(self._post.holder, [*self._ended, Ack(message)], None).lost
        except TransportError:
            self._waiting.appendleft(message)
            raise
        self._settled(lost)
        if message.id not in lost:
            self._note_end(message, call)
            self._count(self._runner.run(message, call))

    def _settle(self) -> None:
        """Write down what has ended. Due before the next message starts whenever an outcome is not a plain ack:

        from then on the note on the post says that everything before it finished well.
        """
        self._settled(self._transport.exchange(self._post.holder, self._ended, None).lost)

    def _end(self, outcome: Outcome) -> None:
        self._ended.append(outcome)
        self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        self._progress.messages += 1
        self._progress.failures += not isinstance(outcome, Ack)

    def _settled(self, lost: Sequence[str]) -> None:
        self._ended = []
        self._troubles = 0
        for message_id in lost:
            emit("lost_reservation", message_id=message_id)

    def _learn(self) -> None:
        if self._batch_count:
            self._batch.learn(self._batch_count, self._clock.monotonic() - self._batch_began)
            self._batch_count = 0

    def _idle(self) -> None:
        if self._progress.idle_since is None:
            self._post.note_idle(self._position)
            gc.collect()
            self._progress.idle_since = self._clock.monotonic()
        queues = self._duty.queues
        self._rest.until_work(lambda: self._transport.depth(queues, 1) > 0, lambda: self._transport.next_at(queues))

    def _note_end(self, message: Message, call: Call) -> None:
        if call.timeout_s is not None:
            self._post.note(message.position, self._clock.monotonic() + call.timeout_s)

    def _bear(self, error: TransportError) -> None:
        """Wait out a full disk or a held lock; nothing is lost meanwhile. Anything else ends the consumer."""
        self._troubles += 1
        if not error.pressure or (self._duty.stop_when_empty and self._troubles > _PATIENT_TRIES):
            raise error
        emit("trouble", error=error)
        self._rest.briefly(min(2.0**self._troubles / 4, _TROUBLE_WAIT_S))

    def _hand_over(self) -> None:
        """Settle what has ended and give back what never started. If even that fails, the note tells the rescuer."""
        self._share_after(None, self.share)
        last: list[Any] = [*self._ended, *(Release(message, uncounted=True) for message in self._waiting)]
        if not last:
            return
        try:
            self._transport.exchange(self._post.holder, last, None)
        except TransportError as error:
            emit("trouble", error=error)
            if not self._ended or _is_plain(self._ended[-1]):
                self._post.note_idle(self._waiting[0].position if self._waiting else self._position)


def _is_plain(outcome: Outcome) -> bool:
    return isinstance(outcome, Ack) and not outcome.keep_s

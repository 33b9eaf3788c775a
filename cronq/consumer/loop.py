"""The consumer: reserve, run, settle, rest, until there is a reason to leave."""

from __future__ import annotations

import gc
from collections import deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cronq.consumer.batch_size import TARGET_S
from cronq.consumer.outcomes import interrupted, is_plain
from cronq.errors import SyncError, TransportError
from cronq.events import emit
from cronq.messages.message import Ack, Continue, Fail, Message, Outcome, Release
from cronq.namedtuple import NamedTuple
from cronq.transports.base import Want

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.clock import Clock
    from cronq.consumer.batch_size import BatchSize
    from cronq.consumer.lifetime import Leaving
    from cronq.consumer.limits import Progress
    from cronq.consumer.post import Post
    from cronq.consumer.rest import NoRest, Rest
    from cronq.consumer.runner import Call, Runner
    from cronq.messages.rate import Rate
    from cronq.transports.base import Transport

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
    """

    leaving: Leaving
    progress: Progress
    rest: Rest | NoRest
    clock: Clock
    batch: BatchSize
    looked: Callable[[bool], None] = lambda busy: None
    share_after: Callable[[float | None, Callable[[], bool]], None] = lambda seconds, share: None
    followed: Callable[[Sequence[Message]], None] = lambda messages: None
    ack_each: bool = False
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
        self._followed = conditions.followed
        self._ack_each = conditions.ack_each
        self._waiting: deque[Message] = deque()
        self._ended: list[Outcome] = []
        self._late: Sequence[Message] = ()
        self._position = conditions.first_position
        self._batch_began = self._clock.monotonic()
        self._batch_count = 0
        self._expects_work = False
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
            if self._late:
                self._send_late()
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
        duty = self._duty
        size, expects_work = self._batch.size, self._expects_work
        want = Want(duty.queues, until, size, self._position, duty.without_tasks, duty.rates, expects_work)
        self._expects_work = False
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
        if self._batch_count > 1 and not exchange.messages[0].gather:  # those are run in one call: none waits behind
            self._share_after(SHARE_AFTER_S, self.share)
        return True

    def _run_next(self) -> None:
        if self._ended and (self._ack_each or not is_plain(self._ended[-1])):
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
            if message.gather and call.may_gather:
                self._run_together(message, call)
            else:
                if message.gather and self._waiting:
                    self._share_after(SHARE_AFTER_S, self.share)
                self._end(self._attempt(message, call))

    def _run_together(self, message: Message, call: Call) -> None:
        """Run a message with the others of its batch in one call. What does not decode fails alone.

        Those that are no plain acks come last, so that all is settled before something else starts.
        """
        from cronq.consumer.batch_call import prepared

        waiting, self._waiting = self._waiting, deque()  # share() finds them before or after this, never between
        others = [waiting.popleft() for _ in range(min(len(waiting), call.task.gather - 1))]
        self._waiting = waiting
        together, failed = prepared(self._runner.prepare, others)
        together.insert(0, (message, call))
        for outcome in sorted(failed + self._attempt_together(together, failed), key=is_plain, reverse=True):
            self._end(outcome)

    def _attempt_together(self, together: Sequence[tuple[Message, Call]], failed: Sequence[Outcome]) -> list[Outcome]:
        try:
            return self._runner.run_together(together)
        except BaseException as error:
            self._ended += [*(interrupted(message, error) for message, _ in together), *failed]
            raise

    def _attempt(self, message: Message, call: Call) -> Outcome:
        try:
            return self._runner.run(message, call)
        except BaseException as error:  # the process is told to end: give the message back and let it
            self._ended.append(interrupted(message, error))
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
            outcome = self._runner.run(message, call)
            self._count(outcome)
            self._late = () if isinstance(outcome, Release) else outcome.then
            if self._late:
                self._send_late()

    def _send_late(self) -> None:
        """Enqueue what follows a message that was acked before it ran. If that fails, it is tried again."""
        try:
            self._transport.enqueue(self._late)
        except SyncError as error:  # they are there: a second time they would be refused
            emit("trouble", error=error)
        late, self._late = self._late, ()
        self._followed(late)

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
        self._progress.failures += not isinstance(outcome, Ack | Continue)
        if isinstance(outcome, Continue):
            self._progress.sliced_at = self._clock.monotonic()

    def _settled(self, lost: Sequence[str]) -> None:
        ended, self._ended = self._ended, []
        self._tell_what_followed(ended, lost)
        self._troubles = 0
        for message_id in lost:
            emit("lost_reservation", message_id=message_id)

    def _tell_what_followed(self, ended: Sequence[Outcome], lost: Sequence[str]) -> None:
        for outcome in reversed(ended):
            if is_plain(outcome):  # so are all before it
                return
            if outcome.message.id not in lost and not isinstance(outcome, Release) and outcome.then:
                self._followed(outcome.then)

    def _learn(self) -> None:
        if self._batch_count:
            self._batch.learn(self._batch_count, self._clock.monotonic() - self._batch_began)
            self._batch_count = 0

    def _idle(self) -> None:
        if self._progress.idle_since is None:
            self._post.note_idle(self._position)
            gc.collect()
            self._progress.idle_since = self._clock.monotonic()
        else:  # one whole rest, and still nothing to do
            self._runner.disconnect()
        queues = self._duty.queues
        self._expects_work = self._rest.until_work(
            lambda: self._transport.depth(queues, 1) > 0, lambda: self._transport.next_at(queues)
        )

    def _note_end(self, message: Message, call: Call) -> None:
        if call.timeout_s is not None:
            self._post.note(message.position, self._clock.monotonic() + call.timeout_s)

    def _bear(self, error: TransportError) -> None:
        """Wait out a full disk or a held lock; nothing is lost meanwhile. Anything else ends the consumer."""
        self._troubles += 1
        if not error.pressure or (self._duty.stop_when_empty and self._troubles > _PATIENT_TRIES):
            raise error
        self._note_what_ended()
        emit("trouble", error=error)
        self._rest.briefly(min(2.0**self._troubles / 4, _TROUBLE_WAIT_S))

    def _hand_over(self) -> None:
        """Settle what has ended and give back what never started. If even that fails, the note tells the rescuer."""
        self._share_after(None, self.share)
        self._send_late_at_last()
        last: list[Any] = [*self._ended, *(Release(message, uncounted=True) for message in self._waiting)]
        if not last:
            return
        try:
            lost = self._transport.exchange(self._post.holder, last, None).lost
            self._tell_what_followed(self._ended, lost)
        except TransportError as error:
            self._note_what_ended()
            emit("trouble", error=error)

    def _note_what_ended(self) -> None:
        """Have whoever rescues us write down what we could not: what ended well is not run again."""
        if self._ended and not is_plain(self._ended[-1]):
            return
        try:
            self._post.note_idle(self._waiting[0].position if self._waiting else self._position)
        except OSError as error:  # some file systems need room to overwrite as well (btrfs, ZFS)
            emit("trouble", error=error)

    def _send_late_at_last(self) -> None:
        try:
            if self._late:
                self._send_late()
        except TransportError as error:
            emit("trouble", error=error)

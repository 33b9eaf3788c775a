"""What every transport does. The contract tests in `tests/transports/contract.py` say the same in code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from cronq.attempts import CONSUMER_DIED, Cause
from cronq.message import UNLIMITED, Ack, Fail, Release
from cronq.transports.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.message import Message, Outcome, QueueCounts, Record, State


class Want(NamedTuple):
    """A request for messages: from the first of `queues` that has some, then the next, at most `limit` in all.

    `until` is the wall time at which the reservation lapses for *other hosts* (on the holder's own host its
    kernel lock decides), `position` numbers the first message reserved. Messages of `without_tasks` are left there.
    """

    queues: Sequence[str]
    until: float
    limit: int
    position: int
    without_tasks: Sequence[str] = ()


class Exchange(NamedTuple):
    """What an exchange brought. `lost` are outcomes that came too late: the reservation was no longer ours."""

    messages: list[Message]
    lost: list[str]
    more: bool


class Held(NamedTuple):
    """How many messages one holder has reserved, and when the earliest of them lapses."""

    holder: str
    messages: int
    until: float


class Evidence(NamedTuple):
    """What is known of a dead holder.

    Its messages with a position below `finished_below` had finished and are acked; the one at `running` had started.
    When this is `certain` (noted by the dead itself since the last boot), all others never started, and their
    attempt is taken back; otherwise any of them may have started, and the attempt counts.
    """

    cause: str
    finished_below: int = 0
    running: int | None = None
    certain: bool = False


class Rescued(NamedTuple):
    """How the messages of a dead holder ended."""

    released: int = 0
    failed: int = 0
    finished: int = 0

    @classmethod
    def by(cls, verdicts: Sequence[Outcome]) -> Rescued:
        """Count verdicts by kind."""
        kinds = [type(verdict) for verdict in verdicts]
        return cls(released=kinds.count(Release), failed=kinds.count(Fail), finished=kinds.count(Ack))


class StoredSchedule(NamedTuple):
    """A schedule as the transport keeps it. `source` says who declared it: the project's `code`, or its `config`.

    `spec` is JSON: task, cron, tz, args, missed, queue, max_attempts. `declared` is what its source said, to see
    whether that has changed; `timing` the part of it that decides when it is due.
    `next_at` None: never, because it was `refused`, for the reason there.
    """

    source: str
    name: str
    declared: str
    timing: str
    spec: bytes
    next_at: float | None
    refused: str | None = None
    last_at: float | None = None
    last_message_id: str | None = None


class Firing(NamedTuple):
    """A due schedule: its messages, and when it is due next. Without messages the missed runs are dropped."""

    schedule: StoredSchedule
    next_at: float
    messages: Sequence[Message]


CLOCK_WAS_WRONG_S = 86400.0  # by which no clock is corrected that was right before


def redeclared(old: StoredSchedule | None, new: StoredSchedule, now: float) -> StoredSchedule:
    """Return a schedule as it is to be stored: one that is due at the same times as before keeps its place in them.

    Unless that place was found by a clock that was far ahead: then it would wait for that day.
    """
    if old is None:
        return new
    ran = new._replace(last_at=old.last_at, last_message_id=old.last_message_id)
    if new.refused is not None:
        return ran
    was_ahead = old.last_at is not None and old.last_at > now + CLOCK_WAS_WRONG_S
    return ran if old.timing != new.timing or old.next_at is None or was_ahead else ran._replace(next_at=old.next_at)


def verdict(message: Message, evidence: Evidence) -> Outcome:
    """Say what becomes of a message whose consumer died."""
    if message.position < evidence.finished_below:
        return Ack(message)
    if evidence.certain and message.position != evidence.running:
        return Release(message, uncounted=True)
    cause = Cause(CONSUMER_DIED, evidence.cause)
    if message.max_attempts != UNLIMITED and message.attempt >= message.max_attempts:
        return Fail(message, evidence.cause, cause)
    return Release(message, error=evidence.cause, cause=cause)


class Transport(ABC):
    """A place that keeps queues. Every method is one transaction; times are wall seconds from the transport's clock."""

    @abstractmethod
    def enqueue(self, messages: Sequence[Message]) -> None:
        """Put all messages into their queues, or none. When this returns they survive a power cut."""

    @abstractmethod
    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        """Write down how attempts of `holder` ended and reserve the next messages for it, in one commit."""

    @abstractmethod
    def held(self) -> list[Held]:
        """Return who has messages reserved."""

    @abstractmethod
    def extend(self, holder: str, until: float) -> int:
        """Lengthen every reservation of `holder` to `until`; return how many."""

    @abstractmethod
    def rescue(self, holder: str, evidence: Evidence) -> Rescued:
        """Take back what a dead holder had reserved; fail what has no attempt left, with the cause of death."""

    @abstractmethod
    def depth(self, queues: Sequence[str], at_most: int) -> int:
        """Count messages ready now in `queues`, stopping at `at_most`: the price must not grow with the backlog."""

    @abstractmethod
    def next_at(self, queues: Sequence[str]) -> float | None:
        """Return when the next delayed message of `queues` becomes ready; None when there is none."""

    @abstractmethod
    def counts(self) -> list[QueueCounts]:
        """Return how full every queue is that holds anything."""

    @abstractmethod
    def find(self, message_id: str) -> Record | None:
        """Return everything known of one message, None when it is gone or never was."""

    def browse(self, state: State, queue: str | None = None, at_most: int = 50) -> list[Record]:
        """Return messages in one state: the next to run first, the longest failed first, the first to go first."""
        return self.select(Selection(state, queue, at_most=at_most))

    @abstractmethod
    def select(self, selection: Selection) -> list[Record]:
        """Return one page of the messages that a selection names."""

    @abstractmethod
    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        """Put failed messages back into their queues with all attempts before them; return how many.

        The first becomes available at `first_at` (now when None), each of the others `every_s` after the one before.
        """

    @abstractmethod
    def amend(self, message_id: str, body: bytes) -> bool:
        """Give a failed message other arguments; tell whether it was one."""

    @abstractmethod
    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        """Delete messages that nobody has reserved, or those in the state `only`; return how many."""

    @abstractmethod
    def flush(self, queue: str) -> int:
        """Delete everything in a queue that is not reserved; return how many."""

    @abstractmethod
    def pause(self, queue: str, paused: bool) -> None:
        """Let nothing be reserved from a queue, or let it again."""

    @abstractmethod
    def prune(self, failed_keep_s: float, at_most: int) -> int:
        """Delete results and failures whose retention is over, at most so many; return how many."""

    @abstractmethod
    def schedules(self) -> list[StoredSchedule]:
        """Return every schedule, by name."""

    @abstractmethod
    def declare(self, source: str, schedules: Sequence[StoredSchedule]) -> None:
        """Store what `source` declares in place of what it declared before; see `redeclared`."""

    @abstractmethod
    def fire(self, firing: Firing) -> bool:
        """Enqueue the messages of a due schedule and set its next time, in one commit.

        False, and nothing done, when its `next_at` is no longer what the firing says: somebody else has fired it.
        """

    def is_busy(self) -> bool:
        """Tell a signal handler whether this thread is in the middle of a transaction; True also when unknown."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Give up connections. The transport opens new ones when it is used again."""

"""What every transport does. The contract tests in `tests/transports/contract.py` say the same in code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import MappingProxyType

from cronq.errors import UsageError
from cronq.messages.attempts import KILLED, STOPPED, Cause
from cronq.messages.message import UNLIMITED, Ack, Fail, Message, Outcome, QueueCounts, Record, Release, State
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:  # which most ticks need none of
    from collections.abc import Callable, Mapping, Sequence

    from cronq.messages.rate import Rate
    from cronq.schedules.stored import Fired, Firing, StoredSchedule
    from cronq.transports.selection import Selection

    Shown = Callable[[Mapping[str, str]], object]


def do_nothing(absorbed: Mapping[str, str]) -> None:
    """Nobody is to be told."""


class Want(NamedTuple):
    """A request for messages: from the first of `queues` that has some, then the next, at most `limit` in all.

    `until` is the wall time at which the reservation lapses for *other hosts* (on the holder's own host its
    kernel lock decides), `position` numbers the first message reserved. Messages of `without_tasks` are left there.
    `rates` are those in force, by name (`cronq.messages.reasons`); what waits for another one need wait no longer.
    `is_expected`: one has just been seen, or announced by a bell, so a transport need not look before it takes.
    """

    queues: Sequence[str]
    until: float
    limit: int
    position: int
    without_tasks: Sequence[str] = ()
    rates: Mapping[str, Rate] = MappingProxyType({})
    is_expected: bool = False


class Exchange(NamedTuple):
    """What an exchange brought. `lost` are outcomes that came too late: the reservation was no longer ours.

    `messages` are plain ones, or one batch: those with `gather` come alone, up to so many whatever the limit was.
    """

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
    `error_class` says in one word what `cause` says for people (`messages.attempts`). `prefix` is what names have in
    storage and nobody is told.
    """

    cause: str
    finished_below: int = 0
    running: int | None = None
    certain: bool = False
    error_class: str = KILLED
    prefix: str = ""


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


class Copy(NamedTuple):
    """A copy of everything a transport keeps: its file and size in bytes, how many messages wait or failed in it."""

    path: str
    size: int
    waiting: int
    failed: int


def verdict(message: Message, evidence: Evidence) -> Outcome:
    """Say what becomes of a message whose consumer died."""
    if message.position < evidence.finished_below:
        return Ack(message)
    if message.stop:
        return _with_what_follows(stopped(message, evidence.cause), evidence.prefix)
    if evidence.certain and not _had_started(message, evidence.running):
        return Release(message, uncounted=True)
    cause = Cause(evidence.error_class, evidence.cause)
    if message.max_attempts != UNLIMITED and message.attempt >= message.max_attempts:
        return _with_what_follows(Fail(message, evidence.cause, cause), evidence.prefix)
    return Release(message, error=evidence.cause, cause=cause)


def stopped(message: Message, meanwhile: str) -> Fail:
    """Return the end of a message that is not run again, since somebody asked for its end."""
    text = f"somebody asked for its end while it was run; {meanwhile}"
    return Fail(message, text, Cause(STOPPED, text))


def _with_what_follows(fail: Fail, prefix: str) -> Fail:
    if not fail.message.follow:
        return fail
    from cronq.messages.follow import concluded

    return concluded(fail, prefix=prefix)


def _had_started(message: Message, running: int | None) -> bool:
    """Tell whether it was being run: a batch starts whole, and is noted by the position of its first message."""
    if running is None:
        return False
    return message.position == running or (message.gather > 0 and message.position > running)


_NO_FILE = "this transport keeps no file of its own: copy and restore it with the tools of its server"


class Transport(ABC):
    """A place that keeps queues. Every method is one transaction; times are wall seconds from the transport's clock."""

    @abstractmethod
    def enqueue(self, messages: Sequence[Message], shown: Shown = do_nothing) -> Mapping[str, str]:
        """Put all messages into their queues, or none. When this returns they survive a power cut.

        Return which of them were absorbed (`unique_key`) by which message that was there already, as ids. `shown` is
        told the same as soon as others can see them, which may be before they survive one. Raises SyncError when they
        are in their queues and may not survive.
        """

    def enqueue_in(self, connection: object, messages: Sequence[Message]) -> None:
        """Put messages into their queues inside the transaction that the caller has begun on the same database.

        Raises UsageError when it is not the same, or when this transport has no transactions to share.
        """
        raise UsageError("transport: these queues are in no database, so they cannot be part of your transaction")

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
    def results(self, group_id: str) -> dict[int, bytes | None]:
        """Return the kept results of a group's parts, by part; those that were removed are not there.

        They are kept from the end of each part to the end of the message that `waits_for` the group.
        """

    @abstractmethod
    def counts(self) -> list[QueueCounts]:
        """Return how full every queue is that holds anything."""

    def glance(self) -> list[QueueCounts]:
        """Return the same in a time that does not grow with the backlog, where counting would take long.

        Numbers that are too large are cut off (`more` names them), and results (`done`) may be left out.
        """
        return self.counts()

    @abstractmethod
    def find(self, message_id: str) -> Record | None:
        """Return everything known of one message, None when it is gone or never was."""

    def browse(self, state: State, queue: str | None = None, at_most: int = 50) -> list[Record]:
        """Return messages in one state: the next to run first, the longest failed first, the first to go first."""
        from cronq.transports.selection import Selection

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
    def cancel(self, message_ids: Sequence[str]) -> int:
        """Delete messages that wait: ready, delayed or blocked; return how many."""

    @abstractmethod
    def ask_to_stop(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        """Mark messages that are reserved, and return by whom, by id. The others are left alone.

        The mark (`Message.stop`) stays through releases, slices and rescues, until the message ends or is revived.
        """

    @abstractmethod
    def asked_to_stop(self, holder: str) -> list[str]:
        """Return which of the messages that `holder` has reserved are marked by `ask_to_stop`."""

    @abstractmethod
    def flush(self, queue: str) -> int:
        """Delete everything in a queue that is not reserved; return how many."""

    @abstractmethod
    def pause(self, queue: str, paused: bool) -> None:
        """Let nothing be reserved from a queue, or let it again."""

    @abstractmethod
    def pause_task(self, task: str, paused: bool) -> None:
        """Let no message of a task be reserved, or let it again."""

    @abstractmethod
    def paused_tasks(self) -> list[str]:
        """Return the names of the paused tasks."""

    @abstractmethod
    def prune(self, failed_keep_s: float, at_most: int) -> int:
        """Delete results and failures whose retention is over, at most so many; return how many.

        Also frees blocked messages whose reason is gone, should anything have failed to.
        """

    @abstractmethod
    def schedules(self) -> list[StoredSchedule]:
        """Return every schedule, by name."""

    @abstractmethod
    def declare(self, source: str, schedules: Sequence[StoredSchedule], only: Sequence[str] | None = None) -> None:
        """Store what `source` declares in place of what it declared before, or of that of the names in `only`.

        See `redeclared`.
        """

    @abstractmethod
    def revise(self, old: StoredSchedule, new: StoredSchedule) -> bool:
        """Store `new` in place of `old`. False, and nothing done, when its `next_at` is no longer that of `old`."""

    @abstractmethod
    def fire(self, firing: Firing) -> Fired:
        """Enqueue the messages of a due schedule and set its next time, in one commit; see `fired`.

        BEATEN, and nothing done, when its `next_at` is no longer what the firing says: somebody else has fired it.
        How a message with the header of a schedule ends is written down by whatever ends it: see `ended`.
        """

    def backup(self, path: str) -> Copy:
        """Write a copy of everything to the file at `path` (absolute), while others work. Raises CronqError."""
        raise UsageError(_NO_FILE)

    def restore(self, path: str) -> Copy:
        """Replace everything by what the copy at `path` holds; nobody may consume meanwhile. Raises CronqError."""
        raise UsageError(_NO_FILE)

    def is_busy(self) -> bool:
        """Tell a signal handler whether this thread is in the middle of a transaction; True also when unknown."""
        return True

    @abstractmethod
    def close(self) -> None:
        """Give up connections. The transport opens new ones when it is used again."""

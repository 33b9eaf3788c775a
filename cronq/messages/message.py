"""A message, the states it can be in, and how an attempt at it can end."""

from __future__ import annotations

from enum import StrEnum

from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cronq.messages.attempts import Attempt, Cause

UNLIMITED = 0
WHILE_WAITING = 0.0  # Message.unique_until: until the message is reserved
UNTIL_DONE = float("inf")  # until it is done or failed


class State(StrEnum):
    """Where a message stands. `delayed` is a ready message whose time has not come.

    `blocked` is one that waits for another message, for a rate, or for its task to be resumed.
    """

    READY = "ready"
    DELAYED = "delayed"
    BLOCKED = "blocked"
    RESERVED = "reserved"
    FAILED = "failed"
    DONE = "done"


WAITING = frozenset({State.READY, State.DELAYED, State.BLOCKED})


class Message(NamedTuple):
    """One unit of work waiting in a queue. `_at` are seconds since the epoch, `body` and `headers` are JSON.

    `available_at` is 0 for a message that was ready from the start.
    `attempt` counts reservations, so a crash counts too; `position` numbers the reservations of one consumer.

    No second message with the same `unique_key` is taken until `unique_until`: WHILE_WAITING, UNTIL_DONE, or a time.
    One that `replaces` is not dropped then: it gives the waiting one its own arguments and delay, which may end no
    later than `replaces` seconds after that one was enqueued (this is not stored).
    At most `max_running` messages of one `running_key` are reserved at once. Up to `gather` messages of a task are
    run in one call: they wait for one another until `available_at`, or until they are so many.
    `follow` is JSON: what is enqueued when this one has succeeded, or failed for good (cronq.messages.follow).
    `group_id` and `part` say of which group it is which part. The one that `waits_for` a group is blocked until no
    part of it is left to be done, and the parts are kept with their results until it has ended.
    `cursor` is JSON: how far the work has come, when it goes on in slices.
    `stop` says that somebody asked for its end while it was run: it is not run again before a person retries it.
    """

    id: str
    queue: str
    task: str
    body: bytes
    headers: bytes = b""
    priority: int = 0
    available_at: float = 0.0
    attempt: int = 0
    max_attempts: int = 3
    expires_at: float | None = None
    position: int = 0
    unique_key: str | None = None
    unique_until: float = WHILE_WAITING
    running_key: str | None = None
    max_running: int = 0
    gather: int = 0
    follow: bytes = b""
    group_id: str | None = None
    part: int = 0
    cursor: bytes = b""
    waits_for: str | None = None
    stop: bool = False
    replaces: float = 0.0

    def with_call(self, message_id: str, body: bytes) -> Message:
        """Return the message of a call that is like this one in all but its id and its arguments."""
        return tuple.__new__(Message, (message_id, self.queue, self.task, body, *self[_BEHIND_BODY:]))

    def reserved(self, position: int) -> Message:
        """Return it as one more reservation leaves it. Every message is: `_replace` takes three times as long."""
        values: list[Any] = list(self)
        values[_ATTEMPT] += 1
        values[_POSITION] = position
        return Message._make(values)


_ATTEMPT, _POSITION = map(Message._fields.index, ("attempt", "position"))
_BEHIND_BODY = Message._fields.index("body") + 1


class Ack(NamedTuple):
    """Done. Kept with its result for `keep_s` seconds when that is more than 0, otherwise gone.

    The messages in `then` are enqueued in the same commit, if the reservation was still ours.
    """

    message: Message
    result: bytes | None = None
    keep_s: float = 0.0
    then: tuple[Message, ...] = ()


class Release(NamedTuple):
    """Back to the queue, reservable after `delay_s`. `uncounted` takes the attempt back: it was never started.

    With an `error` the attempt failed; `cause` says the same in parts.
    """

    message: Message
    delay_s: float = 0.0
    error: str | None = None
    uncounted: bool = False
    cause: Cause | None = None


class Fail(NamedTuple):
    """Into the failure queue, with the reason a person will read, and the same in parts. `then` as for Ack."""

    message: Message
    error: str
    cause: Cause | None = None
    then: tuple[Message, ...] = ()


class Continue(NamedTuple):
    """A slice of the work is done: back to the queue with a new cursor and all attempts before it.

    `then` as for Ack.
    """

    message: Message
    cursor: bytes
    delay_s: float = 0.0
    then: tuple[Message, ...] = ()


Outcome = Ack | Release | Fail | Continue


class Record(NamedTuple):
    """Everything the transport knows of a message, for people: `cronq messages show`, `ref.refresh()`.

    `attempts` are the last ones that failed, the latest at the end. `blocked_by` names what a blocked one waits for.
    """

    message: Message
    state: State
    holder: str | None = None
    error: str | None = None
    result: bytes | None = None
    finished_at: float | None = None
    keep_until: float | None = None
    error_class: str | None = None
    attempts: tuple[Attempt, ...] = ()
    blocked_by: str | None = None


class QueueCounts(NamedTuple):
    """How full one queue is. `oldest_at` is since when the longest waiting message has been ready, None without any.

    `more` names the numbers at which counting stopped: there are more.
    """

    queue: str
    ready: int = 0
    delayed: int = 0
    reserved: int = 0
    failed: int = 0
    done: int = 0
    blocked: int = 0
    oldest_at: float | None = None
    paused: bool = False
    more: tuple[str, ...] = ()

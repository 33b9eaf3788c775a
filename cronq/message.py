"""A message, the states it can be in, and how an attempt at it can end."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from cronq.attempts import Attempt, Cause

UNLIMITED = 0


class State(StrEnum):
    """Where a message stands. `delayed` is a ready message whose time has not come."""

    READY = "ready"
    DELAYED = "delayed"
    RESERVED = "reserved"
    FAILED = "failed"
    DONE = "done"


class Message(NamedTuple):
    """One unit of work waiting in a queue. `_at` are seconds since the epoch, `body` and `headers` are JSON.

    `available_at` is 0 for a message that was ready from the start.
    `attempt` counts reservations, so a crash counts too; `position` numbers the reservations of one consumer.
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


class Ack(NamedTuple):
    """Done. Kept with its result for `keep_s` seconds when that is more than 0, otherwise gone."""

    message: Message
    result: bytes | None = None
    keep_s: float = 0.0


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
    """Into the failure queue, with the reason a person will read, and the same in parts."""

    message: Message
    error: str
    cause: Cause | None = None


Outcome = Ack | Release | Fail


class Record(NamedTuple):
    """Everything the transport knows of a message, for people: `cronq messages show`, `ref.refresh()`.

    `attempts` are the last ones that failed, the latest at the end.
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


class QueueCounts(NamedTuple):
    """How full one queue is. `oldest_at` is since when the longest waiting message has been ready, None without any."""

    queue: str
    ready: int = 0
    delayed: int = 0
    reserved: int = 0
    failed: int = 0
    done: int = 0
    oldest_at: float | None = None
    paused: bool = False

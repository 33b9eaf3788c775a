"""Which messages a person means, as a value: the same for every transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.message import State
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cronq.messages.message import Record


class Selection(NamedTuple):
    """The messages in one state that pass every filter given, at most `at_most` of them, from `after` on.

    They come in this order: the next to run first, the longest failed first, the first to go first (`place`).
    `until` bounds the time since when a message has been where it is: when it failed or was done, else when it
    becomes available. `after` is the last record of the page before.
    """

    state: State
    queue: str | None = None
    task: str | None = None
    error_class: str | None = None
    until: float | None = None
    after: Record | None = None
    at_most: int = 50


class Statistic(NamedTuple):
    """How many of the selected messages of a queue and a task were ended by exceptions of one class.

    `last_at` is the latest of the times that `since` tells.
    """

    queue: str
    task: str
    error_class: str | None
    number: int
    last_at: float


def place(record: Record) -> tuple[str | float, ...]:
    """Return where a record stands among all of its state. Two never stand at the same place."""
    message = record.message
    match record.state:
        case State.READY:
            return (message.queue, -message.priority, message.id)
        case State.DELAYED:
            return (message.queue, message.available_at, message.id)
        case State.BLOCKED:
            return (record.blocked_by or "", message.queue, -message.priority, message.id)
        case State.RESERVED:
            return (message.id,)
        case State.FAILED:
            return (record.finished_at or 0.0, message.id)
        case State.DONE:
            return (record.keep_until or 0.0, message.id)


def since(record: Record) -> float:
    """Return the time that `until` is compared with."""
    over = record.state in {State.FAILED, State.DONE}
    return (record.finished_at or 0.0) if over else record.message.available_at


def selects(selection: Selection, record: Record) -> bool:
    """Tell whether a record passes the filters: for transports that look at every message themselves."""
    message = record.message
    return (
        record.state is selection.state
        and selection.queue in {None, message.queue}
        and selection.task in {None, message.task}
        and selection.error_class in {None, record.error_class}
        and (selection.until is None or since(record) <= selection.until)
        and (selection.after is None or place(record) > place(selection.after))
    )


def statistics_of(records: Iterable[Record]) -> list[Statistic]:
    """Count records: for transports that look at every message themselves."""
    found: dict[tuple[str, str, str | None], Statistic] = {}
    for record in records:
        key = (record.message.queue, record.message.task, record.error_class)
        before = found.get(key) or Statistic(*key, 0, 0.0)
        found[key] = Statistic(*key, before.number + 1, max(before.last_at, since(record)))
    return list(found.values())

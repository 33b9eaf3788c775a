"""Putting messages in, each by its terms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronq.messages import reasons
from cronq.messages.ids import enqueued_at
from cronq.messages.message import WAITING, Message, State
from cronq.transports.memory.blocked_messages import is_open
from cronq.transports.memory.rows import Row, waiting
from cronq.transports.term_rules import absorbs, replaced

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cronq.transports.memory.tables import Tables


def enqueue(tables: Tables, messages: Iterable[Message], now: float) -> dict[str, str]:
    """Insert messages; return which were absorbed by which."""
    absorbed: dict[str, str] = {}
    new: list[Message] = []
    for message in messages:
        standing = _standing(tables, message, now)
        if standing is None:
            tables.put(waiting(Row(message._replace(replaces=0.0), State.READY), now, label_of(message)))
            new.append(message)
            continue
        absorbed[message.id] = standing.message.id
        if message.replaces and standing.state in WAITING:
            new.append(_replace(tables, standing, message, now))
    _block_callbacks(tables, new)
    for queue, task, size in {(one.queue, one.task, one.gather) for one in new if one.gather}:
        _fill(tables, reasons.batch(queue, task), size)
    return absorbed


def label_of(message: Message) -> str | None:
    """Return what the row of a waiting message is labelled with, so that others can be run in one call with it."""
    return reasons.batch(message.queue, message.task) if message.gather else None


def _standing(tables: Tables, message: Message, now: float) -> Row | None:
    """Return the message that absorbs this one: a waiting one rather than a running one, the oldest."""
    if message.unique_key is None:
        return None
    found = tables.where(
        lambda row: row.message.unique_key == message.unique_key and absorbs(row.state, row.message.unique_until, now)
    )
    rank = {State.RESERVED: 1, State.FAILED: 2, State.DONE: 2}
    return min(found, key=lambda row: (rank.get(row.state, 0), row.message.id), default=None)


def _replace(tables: Tables, standing: Row, message: Message, now: float) -> Message:
    """Give a waiting message the arguments of a later one; return it. One that waits for a group still does."""
    bound = enqueued_at(standing.message.id) + message.replaces
    changed = replace(standing, message=replaced(standing.message, message, bound))
    if not (standing.blocked_by or "").startswith(reasons.GROUP):
        changed = waiting(changed, now, label_of(message))
    tables.put(changed)
    return changed.message


def _block_callbacks(tables: Tables, new: Sequence[Message]) -> None:
    for one in new:
        if one.waits_for is not None and is_open(tables, one.waits_for):
            by = reasons.group(one.waits_for)
            tables.put(replace(tables.rows[one.id], state=State.BLOCKED, blocked_by=by))


def _fill(tables: Tables, label: str, size: int) -> None:
    """Make ready as many whole batches as have gathered."""
    delayed = tables.where(lambda row: row.state is State.DELAYED and row.blocked_by == label)
    found = sorted(delayed, key=lambda row: row.order)
    for row in found[: len(found) // size * size]:
        tables.put(replace(row, state=State.READY))

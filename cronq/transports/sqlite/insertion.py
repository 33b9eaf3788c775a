"""Putting messages in: plain ones at once, those with terms one by one. Inside the caller's transaction."""

from __future__ import annotations

from cronq.messages import reasons
from cronq.messages.message import Message, State
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.rows import key_of, message_of, state_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

NONE: Mapping[str, str] = {}
"""No message was absorbed by another."""

_PLAIN_REST = Message("", "", "", b"")[sql.PLAIN :]


def is_plain(message: Message) -> bool:
    """Tell whether a message asks for nothing but to be run: then one INSERT is all there is to do."""
    return message[sql.PLAIN :] == _PLAIN_REST


def plain_row(message: Message, now: float) -> tuple[object, ...]:
    """Return the values of ENQUEUE_PLAIN, none of which is of a type that sqlite3 adapts (see `key_of`)."""
    message_id, queue, task, body, headers = message[:5]
    state = "delayed" if message.available_at > now else "ready"
    return (key_of(message_id), queue, task, bytearray(body), bytearray(headers), *message[5 : sql.PLAIN], state)


def enqueue(connection: sqlite3.Connection, messages: Sequence[Message], now: float) -> Mapping[str, str]:
    """Insert messages; return which were absorbed by which."""
    if all(map(is_plain, messages)):
        connection.executemany(sql.ENQUEUE_PLAIN, [plain_row(message, now) for message in messages])
        return NONE
    return _enqueue_with_terms(connection, messages, now)


def _enqueue_with_terms(connection: sqlite3.Connection, messages: Sequence[Message], now: float) -> Mapping[str, str]:
    absorbed: dict[str, str] = {}
    new: list[Message] = []
    for message in messages:
        standing = None if message.unique_key is None else _standing(connection, message.unique_key, now)
        if standing is None:
            values = _values(message, state_at(message.available_at, now), label_of(message))
            connection.execute(sql.ENQUEUE_LABELLED, (key_of(message.id), *values))
            new.append(message)
            continue
        absorbed[message.id] = standing[0].hex()
        if message.replaces and standing[1] == 0:
            new.append(_replace(connection, standing[0], message, now))
    _block_callbacks(connection, new)
    for queue, task, size in {(one.queue, one.task, one.gather) for one in new if one.gather}:
        _fill(connection, queue, task, size)
    return absorbed


def label_of(message: Message) -> str | None:
    """Return what the row of a waiting message is labelled with, so that others can be run in one call with it."""
    return reasons.batch(message.queue, message.task) if message.gather else None


def _standing(connection: sqlite3.Connection, key: str, now: float) -> tuple[bytes, int] | None:
    """Return the message that absorbs others of its key, and how it stands: 0 for waiting."""
    found: tuple[bytes, int] | None = connection.execute(sql.STANDING, (key, now, key, now, key, now)).fetchone()
    return found


def _replace(connection: sqlite3.Connection, key: bytes, message: Message, now: float) -> Message:
    """Give a waiting message the arguments of a later one; return it. One that waits for a group still does."""
    from cronq.messages.ids import enqueued_at
    from cronq.transports.term_rules import replaced

    row = connection.execute(sql.FIND, (key,)).fetchone()
    standing, state, blocked_by = message_of(row), row[sql.STORED], row[-1]
    changed = replaced(standing, message, enqueued_at(standing.id) + message.replaces)
    if not (blocked_by or "").startswith(reasons.GROUP):
        state, blocked_by = state_at(changed.available_at, now), label_of(changed)
    connection.execute(sql.REPLACE_WAITING, (*_values(changed, state, blocked_by), key))
    return changed


def _values(message: Message, state: str, blocked_by: str | None) -> tuple[object, ...]:
    return (*message[1 : sql.STORED], state, blocked_by)


def _block_callbacks(connection: sqlite3.Connection, new: Sequence[Message]) -> None:
    for one in new:
        if one.waits_for is not None and connection.execute(sql.IS_OPEN, (one.waits_for,)).fetchone()[0]:
            connection.execute(sql.BLOCK, (State.BLOCKED, reasons.group(one.waits_for), key_of(one.id)))


def _fill(connection: sqlite3.Connection, queue: str, task: str, size: int) -> None:
    """Make ready as many whole batches as have gathered."""
    gathered = (reasons.batch(queue, task), queue, size)
    while len(found := connection.execute(sql.GATHERED_DELAYED, gathered).fetchall()) == size:
        connection.executemany(sql.MAKE_READY, [row[:1] for row in found])

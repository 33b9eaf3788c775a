"""What frees blocked messages: an ending, a removal, resuming a task, a look at what nothing has freed.

Every function works inside the caller's transaction.
"""

from __future__ import annotations

from operator import itemgetter

from cronq.messages import reasons
from cronq.messages.message import Message
from cronq.transports.sqlite import statements as sql

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Sequence

FREED_AT_ONCE = 5000
REASONS_SWEPT = 1000

Ties = tuple[str | None, str | None, str | None]
ties_of: Callable[[Message], Ties] = itemgetter(
    *(Message._fields.index(name) for name in ("running_key", "group_id", "waits_for"))
)
"""What may hold others back as long as a message is there."""
NO_TIES: Ties = (None, None, None)


def after(connection: sqlite3.Connection, gone: Sequence[Ties], now: float) -> None:
    """Free what waited for messages that have ended, or were removed. One with a `waits_for` is gone for good."""
    for group_id in {group_id for _, group_id, _ in gone if group_id is not None}:
        _free_callbacks(connection, group_id, now)
    for group_id in {waits_for for _, _, waits_for in gone if waits_for is not None}:
        connection.execute(sql.GIVE_UP_PARTS, (group_id,))
    make_room(connection, [key for key, _, _ in gone if key is not None], now)


def make_room(connection: sqlite3.Connection, keys: Sequence[str], now: float) -> None:
    """Free the next of each running key: one for each that has gone."""
    for key in dict.fromkeys(keys):
        _free_running(connection, key, now, keys.count(key))


def free(connection: sqlite3.Connection, blocked_by: str, now: float) -> int:
    """Free those that wait for one thing, a limited number at once; return how many."""
    return connection.execute(sql.FREE_ALL, (now, blocked_by, FREED_AT_ONCE)).rowcount


def stuck(connection: sqlite3.Connection) -> list[str]:
    """Return the reasons that are gone while messages still wait for them: a release before this one frees nothing."""
    return [by for by in _reasons(connection) if _is_gone(connection, by)]


def sweep(connection: sqlite3.Connection, blocked_by: Iterable[str], now: float) -> None:
    """Free what is blocked for a reason that is gone."""
    for by in blocked_by:
        if by.startswith(reasons.RUNNING):
            _free_running(connection, by.removeprefix(reasons.RUNNING), now, FREED_AT_ONCE)
        elif _is_gone(connection, by):
            free(connection, by, now)


def _free_callbacks(connection: sqlite3.Connection, group_id: str, now: float) -> None:
    if not connection.execute(sql.IS_OPEN, (group_id,)).fetchone()[0]:
        free(connection, reasons.group(group_id), now)


def _free_running(connection: sqlite3.Connection, key: str, now: float, at_most: int) -> None:
    """Free the next of each queue: one that nobody serves must not keep others waiting."""
    for found in _next_of_each_queue(connection, reasons.running(key), at_most):
        room = max(0, found[0][1] - _count_running(connection, key))
        connection.executemany(sql.FREE, [(now, message_id) for message_id, _ in found[:room]])


def _next_of_each_queue(connection: sqlite3.Connection, by: str, at_most: int) -> Iterator[list[tuple[bytes, int]]]:
    queue = ""
    while (queue := connection.execute(sql.NEXT_BLOCKED_QUEUE, (by, queue)).fetchone()[0]) is not None:
        yield connection.execute(sql.NEXT_BLOCKED, (by, queue, at_most)).fetchall()


def _count_running(connection: sqlite3.Connection, key: str) -> int:
    count: int = connection.execute(sql.COUNT_RUNNING, (key,)).fetchone()[0]
    return count


def _reasons(connection: sqlite3.Connection) -> Iterator[str]:
    by = f"{reasons.BATCH}\uffff"  # gathering messages come first, and are not blocked
    for _ in range(REASONS_SWEPT):
        by = connection.execute(sql.NEXT_REASON, (by,)).fetchone()[0]
        if by is None:
            return
        yield by


def _is_gone(connection: sqlite3.Connection, by: str) -> bool:
    kind, _, what = by.partition(":")
    if kind == "running":
        busy = _count_running(connection, what)
        return any(found[0][1] > busy for found in _next_of_each_queue(connection, by, 1))
    if kind == "group":
        return not connection.execute(sql.IS_OPEN, (what,)).fetchone()[0]
    if kind == "task":
        return connection.execute(sql.IS_PAUSED, (by,)).fetchone() is None
    return kind == "rate" and connection.execute(sql.METER, (what,)).fetchone() is None

"""Counting whole queues, for people. The supervisor asks for a bounded depth instead."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cronq.messages.ids import enqueued_at
from cronq.messages.message import QueueCounts
from cronq.transports.sqlite import statements as sql

if TYPE_CHECKING:
    import sqlite3

GLANCED_AT = 20_000
_LOOKED_AT = 200  # of the next messages to run, for the one that has waited longest


def count(connection: sqlite3.Connection, now: float) -> list[QueueCounts]:
    """Return the counts of every queue that holds anything or is paused, by name."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    waiting: dict[str, list[float]] = defaultdict(list)
    for queue, number, first in connection.execute(sql.COUNT_READY).fetchall():
        found[queue]["ready"] += number
        waiting[queue] += _waiting_since(connection, queue, first)
    for queue, is_due, number, due_at in connection.execute(sql.COUNT_DELAYED, (now,)):
        found[queue]["ready" if is_due else "delayed"] += number
        if is_due:
            waiting[queue].append(due_at)
    for state, statement in sql.COUNT_OTHERS:
        for queue, number in connection.execute(statement):
            found[queue][state] += number
    for (name,) in connection.execute(sql.PAUSED):
        if ":" not in name:  # or it is a task
            found[name]["paused"] = True
    return [
        QueueCounts(queue, **numbers, oldest_at=min(waiting[queue], default=None))
        for queue, numbers in sorted(found.items())
    ]


def glance(connection: sqlite3.Connection, now: float) -> list[QueueCounts]:
    """Return the same without results, stopping at GLANCED_AT per number: some milliseconds, whatever is queued."""
    found = {name: _glance_at(connection, name, now) for name in _queues(connection)}
    for state, statement in sql.GLANCE_OTHERS:
        rows = connection.execute(statement, (GLANCED_AT,)).fetchall()
        more = (state,) if sum(number for _, number in rows) >= GLANCED_AT else ()
        for queue, number in rows:
            before = found.get(queue) or QueueCounts(queue)
            found[queue] = before._replace(**{state: number}, more=(*before.more, *more))
    for (queue,) in connection.execute(sql.PAUSED):
        found[queue] = (found.get(queue) or QueueCounts(queue))._replace(paused=True)
    return [counts for _, counts in sorted(found.items())]


def waiting(connection: sqlite3.Connection, queue: str, at_most: int) -> int:
    """Count the messages of a queue that wait for anything, stopping at `at_most`."""
    found = 0
    for statement in sql.WAITING:
        if found < at_most:
            found += connection.execute(statement, (queue, at_most - found)).fetchone()[0]
    return found


def stored_bytes(connection: sqlite3.Connection) -> int:
    """Return the size of the pages in use: those that are free take new messages, and no room of the disk."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _queues(connection: sqlite3.Connection) -> set[str]:
    """Return the queues with ready or delayed messages, jumping from one to the next."""
    found = set()
    for statement in sql.NEXT_QUEUE:
        queue = ""
        while (queue := connection.execute(statement, (queue,)).fetchone()[0]) is not None:
            found.add(queue)
    return found


def _glance_at(connection: sqlite3.Connection, queue: str, now: float) -> QueueCounts:
    def counted(statement: str, *values: object) -> int:
        return int(connection.execute(statement, (queue, *values, GLANCED_AT)).fetchone()[0])

    due, later = counted(sql.DEPTH_DUE, now), counted(sql.DEPTH_LATER, now)
    ready = min(GLANCED_AT, counted(sql.DEPTH) + due)
    waiting = [since for first in _firsts(connection, queue) for since in _waiting_since(connection, queue, first)]
    if due:
        waiting.append(connection.execute(sql.NEXT_AT, (queue,)).fetchone()[0])
    more = [name for name, number in (("ready", ready), ("delayed", later)) if number >= GLANCED_AT]
    return QueueCounts(queue, ready, later, oldest_at=min(waiting, default=None), more=tuple(more))


def _firsts(connection: sqlite3.Connection, queue: str) -> list[bytes]:
    """Return the id of the oldest ready message, in a list; none without any. Each priority has a first one."""
    firsts, priority = [], 1 << 62
    for _ in range(_LOOKED_AT):
        priority = connection.execute(sql.NEXT_PRIORITY, (queue, priority)).fetchone()[0]
        if priority is None:
            break
        firsts.append(connection.execute(sql.FIRST_OF, (queue, priority)).fetchone()[0])
    return [min(firsts)] if firsts else []


def _waiting_since(connection: sqlite3.Connection, queue: str, first: bytes) -> list[float]:
    """Return since when the first and the next messages of a queue have been ready: a delay was no waiting."""
    rows = connection.execute(sql.AVAILABLE_AT, (first,)).fetchall()
    rows += connection.execute(sql.NEXT_READY, (queue, _LOOKED_AT))
    return [available_at or enqueued_at(message_id.hex()) for message_id, available_at in rows]

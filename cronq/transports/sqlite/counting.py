"""Counting whole queues, for people. The supervisor asks for a bounded depth instead."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cronq.ids import enqueued_at
from cronq.message import QueueCounts
from cronq.transports.sqlite import statements as sql

if TYPE_CHECKING:
    import sqlite3

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
    for (queue,) in connection.execute(sql.PAUSED):
        found[queue]["paused"] = True
    return [
        QueueCounts(queue, **numbers, oldest_at=min(waiting[queue], default=None))
        for queue, numbers in sorted(found.items())
    ]


def _waiting_since(connection: sqlite3.Connection, queue: str, first: bytes) -> list[float]:
    """Return since when the first and the next messages of a queue have been ready: a delay was no waiting."""
    rows = connection.execute(sql.AVAILABLE_AT, (first,)).fetchall()
    rows += connection.execute(sql.NEXT_READY, (queue, _LOOKED_AT))
    return [available_at or enqueued_at(message_id.hex()) for message_id, available_at in rows]

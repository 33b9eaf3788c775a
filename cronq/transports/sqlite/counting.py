"""Counting whole queues, for people. The supervisor asks for a bounded depth instead."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from cronq.ids import enqueued_at
from cronq.message import QueueCounts
from cronq.transports.sqlite import statements as sql

if TYPE_CHECKING:
    import sqlite3


def count(connection: sqlite3.Connection, now: float) -> list[QueueCounts]:
    """Return the counts of every queue that holds anything or is paused, by name."""
    found: dict[str, dict[str, Any]] = defaultdict(lambda: defaultdict(int))
    oldest: dict[str, list[bytes]] = defaultdict(list)
    for queue, number, first in connection.execute(sql.COUNT_READY):
        found[queue]["ready"] += number
        oldest[queue].append(first)
    for queue, is_due, number, first in connection.execute(sql.COUNT_DELAYED, (now,)):
        found[queue]["ready" if is_due else "delayed"] += number
        if is_due:
            oldest[queue].append(first)
    for state, statement in sql.COUNT_OTHERS:
        for queue, number in connection.execute(statement):
            found[queue][state] += number
    for (queue,) in connection.execute(sql.PAUSED):
        found[queue]["paused"] = True
    return [
        QueueCounts(queue, **numbers, oldest_at=enqueued_at(min(oldest[queue]).hex()) if oldest[queue] else None)
        for queue, numbers in sorted(found.items())
    ]

"""Queues that hold a million messages, made fast: one message of cronq's own, copied by SQLite."""

from __future__ import annotations

import shutil
import sqlite3
from typing import TYPE_CHECKING

from cronq.messages.ids import new_id
from cronq.messages.message import Message
from cronq.transports.sqlite import SqliteTransport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HOUR_MS = 3_600_000


class Million:
    """Makes each kind of file once in a run; measures get copies."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def copy(self, to: Path, *changes: str, count: int) -> Path:
        """Put a queue with `count` messages for each of `changes` (SQL that makes them what they are) at `to`."""
        made = self._directory / f"{abs(hash((changes, count)))}.db"
        if not made.exists():
            make(made, changes, count)
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(made, to)
        to.chmod(0o600)
        return to


READY = ""
DELAYED = "state = 'delayed', available_at = 4e9"
DONE = "state = 'done', finished_at = 1e9, keep_until = 4e9"
FAILED = "state = 'failed', finished_at = 4e9, error = 'boom'"
UNIQUE = "unique_key = 'key:' || rowid_of(id)"
SPREAD = "queue = 'q' || (rowid_of(id) % 1000)"


def make(path: Path, changes: Sequence[str], count: int) -> None:
    """Make a queue file with `count` messages, enqueued over the last hour, for each of `changes`."""
    transport = SqliteTransport(str(path), durability="normal")
    template = Message(new_id(), "high", "cronq_sqlite.noop", b"{}")
    transport.enqueue([template])
    transport.close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("id_at", 1, lambda number: _id_at(template.id, number))
    connection.create_function("rowid_of", 1, lambda key: int(key.hex()[16:], 16), deterministic=True)
    names = [row[1] for row in connection.execute("PRAGMA table_info(messages)") if row[1] != "id"]
    columns = ", ".join(names)
    connection.execute("PRAGMA synchronous = OFF")
    for number, change in enumerate(changes):
        first = 1 + number * count
        connection.execute("BEGIN")
        connection.execute(
            f"""
            WITH RECURSIVE numbers (n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)
            INSERT INTO messages (id, {columns}) SELECT id_at(n), {columns} FROM messages, numbers WHERE id = ?
            """,
            (first, first + count - 1, bytes.fromhex(template.id)),
        )
        if change:
            span = (_id_at(template.id, first), _id_at(template.id, first + count - 1))
            connection.execute(f"UPDATE messages SET {change} WHERE id BETWEEN ? AND ?", span)
        connection.execute("COMMIT")
    connection.execute("DELETE FROM messages WHERE id = ?", (bytes.fromhex(template.id),))
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _id_at(template: str, number: int) -> bytes:
    """Return an id like the template's, an hour before it and rising with `number`."""
    ms = int(template[:12], 16) - HOUR_MS
    return bytes.fromhex(f"{ms + number // 4000:012x}{template[12:16]}{number:016x}")

"""The limit: what sqlite3 itself takes for a table of messages, with nothing around it. No queue for real use."""

from __future__ import annotations

import os
import sqlite3
import sys
import time

import work

VERSIONS = ()
PATH = os.path.join(os.environ["BENCH_DIR"], "raw.db")
WORKER = [sys.executable, __file__]
INSERT = "INSERT INTO messages (state, task, body) VALUES (0, ?, ?)"
NEXT = "SELECT id, task, body FROM messages WHERE state = 0 ORDER BY id LIMIT 1"


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(PATH, isolation_level=None, timeout=5)
    connection.execute(f"PRAGMA synchronous = {os.environ.get('BENCH_VARIANT') or 'FULL'}")
    return connection


def prepare() -> None:
    connection = connect()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, state INTEGER, task TEXT, body TEXT)")
    connection.execute("CREATE INDEX ready ON messages (id) WHERE state = 0")
    connection.close()


def enqueue(name: str, *args: object) -> None:
    _connection().execute(INSERT, (name, " ".join(map(str, args))))


def bulk(count: int) -> None:
    connection = _connection()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(INSERT, [("noop", "")] * count)
    connection.execute("COMMIT")


def _connection(kept: list[sqlite3.Connection] = []) -> sqlite3.Connection:  # noqa: B006
    if not kept:
        kept.append(connect())
    return kept[0]


def consume() -> None:
    """Ack the last message and reserve the next in one commit; look every 10 ms when there is none."""
    connection, done = connect(), None
    while True:
        row = connection.execute(NEXT).fetchone()
        if row is None and done is None:
            time.sleep(0.01)
            continue
        connection.execute("BEGIN IMMEDIATE")
        if done is not None:
            connection.execute("DELETE FROM messages WHERE id = ?", (done,))
        if row is not None:
            connection.execute("UPDATE messages SET state = 1 WHERE id = ?", (row[0],))
        connection.execute("COMMIT")
        done = None
        if row is not None:
            getattr(work, row[1])(*map(float, row[2].split()))
            done = row[0]


if __name__ == "__main__":
    consume()

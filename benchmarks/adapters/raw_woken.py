"""The limit for latency: raw sqlite3 whose worker sleeps on a FIFO, and is woken before the disk has the message.

Who enqueues waits for the disk, and the worker for none when it reserves.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import raw_sqlite
import work

if TYPE_CHECKING:
    import sqlite3

VERSIONS = ()
FIFO = os.path.join(os.environ["BENCH_DIR"], "fifo")
WORKER = [sys.executable, __file__]


def prepare() -> None:
    raw_sqlite.prepare()
    os.mkfifo(FIFO)


def enqueue(name: str, *args: object) -> None:
    connection = _connection()
    connection.execute(raw_sqlite.INSERT, (name, " ".join(map(str, args))))
    os.write(_fifo(), b"!")
    os.fdatasync(_log())


def _connection(kept: list[sqlite3.Connection] = []) -> sqlite3.Connection:  # noqa: B006
    if not kept:
        kept.append(raw_sqlite.connect())
        kept[0].execute("PRAGMA synchronous = NORMAL")
    return kept[0]


def _log(kept: list[int] = []) -> int:  # noqa: B006
    if not kept:
        kept.append(os.open(f"{raw_sqlite.PATH}-wal", os.O_RDONLY))
    return kept[0]


def _fifo(kept: list[int] = []) -> int:  # noqa: B006
    if not kept:
        kept.append(os.open(FIFO, os.O_RDWR))
    return kept[0]


def consume() -> None:
    connection = raw_sqlite.connect()
    while True:
        while (row := connection.execute(raw_sqlite.NEXT).fetchone()) is not None:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("UPDATE messages SET state = 1 WHERE id = ?", (row[0],))
            getattr(work, row[1])(*map(float, row[2].split()))
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("DELETE FROM messages WHERE id = ?", (row[0],))
        os.read(_fifo(), 1)


if __name__ == "__main__":
    consume()

"""The limit for latency: raw sqlite3 whose worker sleeps on a FIFO. It reserves in a commit that waits for no disk."""

from __future__ import annotations

import os
import sys

import raw_sqlite
import work

VERSIONS = ()
FIFO = os.path.join(os.environ["BENCH_DIR"], "fifo")
WORKER = [sys.executable, __file__]


def prepare() -> None:
    raw_sqlite.prepare()
    os.mkfifo(FIFO)


def enqueue(name: str, *args: object) -> None:
    raw_sqlite.enqueue(name, *args)
    os.write(_fifo(), b"!")


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

"""persist-queue's SQLiteAckQueue: https://pypi.org/project/persist-queue/. It has no worker: get, run, ack.

Its blocking `get` sees nothing that another process puts for 10 s, so the loop looks every 50 ms instead. Finished
messages are removed as its documentation tells (`clear_acked_data`), once every thousand.
"""

from __future__ import annotations

import os
import sys
import time

import work
from persistqueue import Empty, SQLiteAckQueue

VERSIONS = ("persist-queue",)
WORKER = [sys.executable, __file__]


def _queue(kept: list[SQLiteAckQueue] = []) -> SQLiteAckQueue:  # noqa: B006
    if not kept:
        kept.append(SQLiteAckQueue(os.environ["BENCH_DIR"], auto_resume=__name__ == "__main__"))
    return kept[0]


def prepare() -> None:
    _queue()


def enqueue(name: str, *args: object) -> None:
    _queue().put([name, *args])


def consume() -> None:
    queue, done = _queue(), 0
    while True:
        try:
            message = queue.get(block=False)
        except Empty:
            time.sleep(0.05)
            continue
        name, *args = message
        getattr(work, name)(*args)
        queue.ack(message)
        done += 1
        if done % 1000 == 0:
            queue.clear_acked_data()


if __name__ == "__main__":
    consume()

"""litequeue: https://litements.polyrand.net/queue/. It has no worker: pop, run, done, and a look every 50 ms."""

from __future__ import annotations

import json
import os
import sys
import time

import work
from litequeue import LiteQueue

VERSIONS = ("litequeue",)
WORKER = [sys.executable, __file__]
queue = LiteQueue(os.path.join(os.environ["BENCH_DIR"], "litequeue.db"))


def prepare() -> None:
    """The constructor has made the table."""


def enqueue(name: str, *args: object) -> None:
    queue.put(json.dumps([name, *args]))


def bulk(count: int) -> None:
    with queue.transaction(mode="IMMEDIATE"):
        for _ in range(count):
            enqueue("noop")


def consume() -> None:
    while True:
        message = queue.pop()
        if message is None:
            time.sleep(0.05)
            continue
        name, *args = json.loads(message.data)
        getattr(work, name)(*args)
        queue.done(message.message_id)


if __name__ == "__main__":
    consume()

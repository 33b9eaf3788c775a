"""RQ with Redis: https://python-rq.org, `rq worker` (a fork per job); variant `simple`: SimpleWorker, no fork."""

from __future__ import annotations

import os
import sys

import work
from redis import Redis
from rq import Queue

VERSIONS = ("rq", "redis")
_simple = ["--worker-class", "rq.SimpleWorker"] if os.environ.get("BENCH_VARIANT") == "simple" else []
WORKER = [os.path.join(os.path.dirname(sys.executable), "rq"), "worker", "--url", os.environ["BENCH_REDIS"], *_simple]
queue = Queue(connection=Redis.from_url(os.environ["BENCH_REDIS"]))


def prepare() -> None:
    queue.connection.flushdb()


def enqueue(name: str, *args: object) -> None:
    queue.enqueue(getattr(work, name), *args)


def bulk(count: int) -> None:
    queue.enqueue_many([Queue.prepare_data(work.noop) for _ in range(count)])

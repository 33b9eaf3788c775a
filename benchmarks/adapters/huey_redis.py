"""huey with Redis: https://huey.readthedocs.io, the consumer with its defaults (one thread)."""

from __future__ import annotations

import os
import sys

import work
from huey import RedisHuey

VERSIONS = ("huey", "redis")
WORKER = [os.path.join(os.path.dirname(sys.executable), "huey_consumer"), "huey_redis.huey"]
huey = RedisHuey(url=os.environ["BENCH_REDIS"])
tasks = {function.__name__: huey.task()(function) for function in work.ALL}


def prepare() -> None:
    huey.storage.conn.flushdb()


def enqueue(name: str, *args: object) -> None:
    tasks[name](*args)

"""Dramatiq with Redis: https://dramatiq.io, one worker process with its default of 8 threads."""

from __future__ import annotations

import os
import sys

import dramatiq
import work
from dramatiq.brokers.redis import RedisBroker

VERSIONS = ("dramatiq", "redis")
WORKER = [os.path.join(os.path.dirname(sys.executable), "dramatiq"), "dramatiq_redis", "--processes", "1"]
broker = RedisBroker(url=os.environ["BENCH_REDIS"])
dramatiq.set_broker(broker)
actors = {function.__name__: dramatiq.actor(function) for function in work.ALL}


def prepare() -> None:
    broker.client.flushdb()


def enqueue(name: str, *args: object) -> None:
    actors[name].send(*args)

"""Celery with Redis: https://docs.celeryq.dev, one child process, results ignored; variant `late`: acks_late."""

from __future__ import annotations

import os
import sys

import work
from celery import Celery, group

VERSIONS = ("celery", "redis")
WORKER = [
    *(os.path.join(os.path.dirname(sys.executable), "celery"), "--app", "celery_redis", "worker"),
    *("--concurrency", "1", "--loglevel", "WARNING"),
]
app = Celery("celery_redis", broker=os.environ["BENCH_REDIS"])
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)
tasks = {function.__name__: app.task(function) for function in work.ALL}


def prepare() -> None:
    with app.connection_for_write() as connection:
        connection.default_channel.client.flushdb()


def enqueue(name: str, *args: object) -> None:
    tasks[name].delay(*args)


def bulk(count: int) -> None:
    group([tasks["noop"].s()] * count).apply_async()

"""huey with SQLite: https://huey.readthedocs.io, the consumer with its defaults (one thread)."""

from __future__ import annotations

import os
import sys

import work
from huey import SqliteHuey

VERSIONS = ("huey",)
WORKER = [os.path.join(os.path.dirname(sys.executable), "huey_consumer"), "huey_sqlite.huey"]
_fsync = {"off": {"fsync": False}}.get(os.environ.get("BENCH_VARIANT", ""), {})
huey = SqliteHuey(filename=os.path.join(os.environ["BENCH_DIR"], "huey.db"), **_fsync)
tasks = {function.__name__: huey.task()(function) for function in work.ALL}


def prepare() -> None:
    huey.flush()


def enqueue(name: str, *args: object) -> None:
    tasks[name](*args)

"""Procrastinate with PostgreSQL: https://procrastinate.readthedocs.io, the worker with its defaults."""

from __future__ import annotations

import os
import sys

import psycopg
import work
from procrastinate import App, PsycopgConnector

VERSIONS = ("procrastinate", "psycopg")
WORKER = [
    os.path.join(os.path.dirname(sys.executable), "procrastinate"),
    *("--app", "procrastinate_postgresql.app", "worker"),
]
SERVER = os.environ["BENCH_POSTGRESQL"]
DATABASE = "cronq_benchmarks"
CONNINFO = psycopg.conninfo.make_conninfo(SERVER, dbname=DATABASE)
app = App(connector=PsycopgConnector(conninfo=CONNINFO))
tasks = {function.__name__: app.task(function, name=function.__name__) for function in work.ALL}


def prepare() -> None:
    with psycopg.connect(SERVER, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    _open()
    app.schema_manager.apply_schema()


def enqueue(name: str, *args: object) -> None:
    _open()
    names = ("producer", "number") if name == "tally" else ("enqueued_at",)
    tasks[name].defer(**dict(zip(names, args, strict=False)))


def bulk(count: int) -> None:
    _open()
    tasks["noop"].batch_defer(*[{}] * count)


def _open(is_open: list[bool] = []) -> None:  # noqa: B006
    """Connect as programs without an event loop do; the worker connects by itself."""
    if not is_open:
        app.open()
        is_open.append(True)

"""SQL statements and commits, told by SQLite's own trace. Runs in a process of its own: it wraps sqlite3.connect."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.places import REPOSITORY, work_directory
from benchmarks.project import environment, project, started, tick_words

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES = 500


def count() -> dict[str, float]:
    """Return statements and commits by what causes them."""
    with project() as path:
        started(path)
        words = [sys.executable, "-m", __name__, *tick_words(path)]
        said = subprocess.run(words, cwd=REPOSITORY, env=environment(path), check=True, stdout=subprocess.PIPE)
    counts: dict[str, float] = json.loads(said.stdout)
    return counts


def _count() -> dict[str, float]:
    traced: list[str] = []
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def traced_connect(*args: object, **kwargs: object) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(traced.append)
        return connection

    sqlite3.connect = traced_connect  # type: ignore[assignment]  # its overloads stay those of the original
    return {**_of_messages(traced), **_of_tick(traced)}


def _of_messages(traced: list[str]) -> dict[str, float]:
    from benchmarks.guarded.workload import Workload, serve

    found: dict[str, float] = {}

    def note(name: str, messages: int, action: Callable[[], object]) -> None:
        traced.clear()
        action()
        found[f"statements per message, {name}"] = len(traced) / messages
        found[f"commits per 1,000 messages, {name}"] = 1000 * _commits(traced) / messages

    with work_directory() as directory:
        work = Workload(directory)
        note("enqueue", 10, lambda: work.enqueue(10))
        note("enqueue_many", MESSAGES - 10, lambda: work.enqueue_at_once(MESSAGES - 10))
        note("drain", MESSAGES, lambda: work.drain(MESSAGES))
        note("web request that enqueues 10", 10, lambda: serve(work.site_that_enqueues, 1))
        work.app.transport.close()
    return found


def _of_tick(traced: list[str]) -> dict[str, float]:
    from cronq.cli.entry import run

    traced.clear()
    assert run(sys.argv[1:]) == 0
    return {"statements of an idle tick": len(traced), "commits of an idle tick": _commits(traced)}


def _commits(traced: list[str]) -> int:
    """Count COMMITs, and writes outside a transaction, which commit on their own."""
    commits, is_open = 0, False
    for statement in traced:
        word = statement.split(None, 1)[0].upper()
        is_open = word == "BEGIN" or (is_open and word not in {"COMMIT", "ROLLBACK"})
        commits += word == "COMMIT" or (not is_open and word in {"INSERT", "UPDATE", "DELETE", "REPLACE"})
    return commits


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_count()))

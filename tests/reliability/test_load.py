"""A million ready messages and a million kept results: what happens every second or minute costs as much as without.

What is asserted are the steps of SQLite's virtual machine and the statements, which are the same on every machine.
Times are for the report. CI takes a tenth; CRONQ_LOAD=1000000 takes all (five minutes).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

import pytest

from cronq.clock import SystemClock
from cronq.host.state_dir import StateDir
from cronq.messages.message import Ack
from cronq.supervisor.cleanup import PRUNED_AT_ONCE, tidy
from cronq.supervisor.status import look
from cronq.transports.exchange import Want
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.counts import GLANCED_AT
from tests.making import message, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cronq.supervisor.status import Status

pytestmark = pytest.mark.slow

SIZE = int(os.environ.get("CRONQ_LOAD", "100000"))
AT_ONCE = 20_000
STEPS_AT_ONCE = 10
GLANCE_STEPS = 12 * GLANCED_AT  # for each of the messages that are counted at most
RUNS = 15 if SIZE >= 1_000_000 else 3  # of a whole command, for the report

CONFIG = """
app = "tasks:app"
[[consumers]]
name = "high"
queues = ["high", "normal", "low"]
autoscale = { desired_size = 5, max = 4 }
"""
COUNTING = """
import json, sqlite3, sys
connect, found = sqlite3.connect, {"steps": 0, "statements": 0}

def step():
    found["steps"] += AT_ONCE

def statement(text):
    found["statements"] += 1

def counting(*args, **kwargs):
    connection = connect(*args, **kwargs)
    connection.set_progress_handler(step, AT_ONCE)
    connection.set_trace_callback(statement)
    return connection

sqlite3.connect = counting
from cronq.cli.entry import run
code = run(sys.argv[1:])
json.dump({**found, "code": code}, open("counted", "w"))
""".replace("AT_ONCE", str(STEPS_AT_ONCE))


class Loaded:
    """A transport, and what each of the operations that are done all the time costs in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = StateDir(str(home / ".cronq"))
        self.state.prepare()
        self.transport = SqliteTransport(f"{self.state.path}/queue.db", "normal")
        self._position = 0

    def add(self, kept: int, ready: int, keep_s: float = 3600.0) -> None:
        for _ in range(0, kept, AT_ONCE):
            self.transport.enqueue([message(priority=1) for _ in range(AT_ONCE)])
            taken = self.transport.exchange("me", [], Want(["high"], 9e9, AT_ONCE, 1)).messages
            self.transport.exchange("me", [Ack(one, b"1", keep_s) for one in taken], None)
        for _ in range(0, ready, AT_ONCE):
            self.transport.enqueue([message() for _ in range(AT_ONCE)])

    def costs(self, measured: Callable[[Loaded, Callable[[], object]], float]) -> dict[str, float]:
        """Return the median of what is measured of each."""
        work: dict[str, Callable[[], object]] = {
            "enqueue": lambda: self.transport.enqueue([message()]),
            "run one": self._run_one,
            "depth": lambda: self.transport.depth(["high", "normal"], 50),
            "held": self.transport.held,
            "next_at": lambda: self.transport.next_at(["high"]),
            "schedules": self.transport.schedules,
            "tidy": lambda: tidy(settings(self.home), self.state, self.transport, SystemClock()),
        }
        return {name: median(measured(self, do) for _ in range(60)) for name, do in work.items()}

    def look(self) -> Status:
        return look(settings(self.home), self.state, self.transport, SystemClock())

    def runs(self, command: str) -> dict[str, int]:
        """Run a whole command in a process of its own; return what it asked of SQLite, and its exit code."""
        words = [sys.executable, "-c", COUNTING, command, "--config", f"{self.home}/cronq.toml"]
        subprocess.run(words, cwd=self.home, check=True, stdout=subprocess.DEVNULL)
        counted: dict[str, int] = json.loads((self.home / "counted").read_text())
        return counted

    def took_s(self, command: str) -> float:
        """Return how long a whole command takes, from the start of its process to its end."""
        words = [sys.executable, "-m", "cronq", command, "--config", f"{self.home}/cronq.toml"]
        began = time.perf_counter()
        subprocess.run(words, cwd=self.home, check=False, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def _run_one(self) -> None:
        self._position += 1
        taken = self.transport.exchange("me", [], Want(["high"], 9e9, 1, self._position)).messages
        self.transport.exchange("me", [Ack(one) for one in taken], None)


def _seconds(loaded: Loaded, do: Callable[[], object]) -> float:
    began = time.process_time()
    do()
    return time.process_time() - began


def _steps(loaded: Loaded, do: Callable[[], object]) -> float:
    """Return how many steps SQLite's virtual machine takes, in tens."""
    steps: list[None] = []
    connection = loaded.transport._connections.get()
    connection.set_progress_handler(lambda: steps.append(None), STEPS_AT_ONCE)
    do()
    connection.set_progress_handler(None, 0)
    return len(steps) * STEPS_AT_ONCE


class CountingClock(SystemClock):
    """A clock on which every look takes a tenth of a second."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.looks / 10


@pytest.fixture
def loaded(home: Path) -> Iterator[Loaded]:
    made = Loaded(home)
    yield made
    made.transport.close()


@pytest.fixture
def empty(home: Path) -> Iterator[Loaded]:
    (home / "empty").mkdir()
    made = Loaded(home / "empty")
    yield made
    made.transport.close()


def test_what_is_done_all_the_time_costs_what_it_costs_when_empty(loaded: Loaded) -> None:
    loaded.transport.enqueue([message() for _ in range(100)])
    empty = loaded.costs(_steps), loaded.costs(_seconds)
    loaded.add(kept=SIZE, ready=SIZE)
    full = loaded.costs(_steps), loaded.costs(_seconds)
    for name in empty[0]:
        (steps, then), (seconds, then_s) = (
            (before[name], after[name]) for before, after in zip(empty, full, strict=True)
        )
        print(f"{name}: {1000 * seconds:.3f} ms, full {1000 * then_s:.3f} ms; {steps:.0f} steps, full {then:.0f}")

    assert [name for name, steps in empty[0].items() if full[0][name] > 1.1 * steps + STEPS_AT_ONCE] == []


def test_whole_commands_ask_no_more_of_a_full_queue_than_of_an_empty_one(loaded: Loaded, empty: Loaded) -> None:
    """Nothing is to be started meanwhile: the tick is idle."""
    loaded.add(kept=SIZE, ready=max(SIZE, 120_000))
    for one in (empty, loaded):
        (one.home / "cronq.toml").write_text(CONFIG)
        one.transport.close()
        StateDir(f"{one.home}/.cronq").prepare()
        (one.home / ".cronq" / "stop").write_text(f"{time.time() + 86400}")
        one.runs("tick")  # the first one has a schema to look at
    asked = {command: (empty.runs(command), loaded.runs(command)) for command in ("tick", "status")}
    for command, (before, after) in asked.items():
        took = [(empty.took_s(command), loaded.took_s(command)) for _ in range(RUNS)]
        times = [median(column) for column in zip(*took, strict=True)]
        print(f"cronq {command}: {1000 * times[0]:.0f} ms, full {1000 * times[1]:.0f} ms, whole commands", end="; ")
        print(f"{before['statements']} statements, full {after['statements']}", end="; ")
        print(f"{before['steps']} steps, full {after['steps']}")

    (tick, full_tick), (status, full_status) = asked["tick"], asked["status"]
    assert (tick["code"], full_tick["code"], status["code"], full_status["code"]) == (0, 0, 0, 0)
    assert full_tick["statements"] <= tick["statements"]
    assert full_tick["steps"] - tick["steps"] < 1000  # it counts the depth, as far as that tells consumers apart
    assert full_status["statements"] <= status["statements"] + 20
    assert full_status["steps"] - status["steps"] < GLANCE_STEPS


def test_status_says_where_it_stopped_counting(loaded: Loaded) -> None:
    loaded.add(kept=SIZE, ready=max(SIZE, 120_000))
    (queue,) = [one for one in loaded.look().queues if one.name == "high"]
    print(f"status: {min(_seconds(loaded, loaded.look) for _ in range(3)):.3f} s of computing")

    assert (queue.ready, queue.more) == (GLANCED_AT, ("ready",))
    assert queue.oldest_s is not None


def test_the_tidy_up_goes_on_until_all_is_gone_or_its_time_is_over(loaded: Loaded) -> None:
    """Three looks at the clock make 0.3 s, and each is one slice; the next ticks do the rest."""
    loaded.add(kept=AT_ONCE, ready=0, keep_s=0.001)
    tidy(settings(loaded.home), loaded.state, loaded.transport, CountingClock())
    after_one = loaded.transport.counts()[0].done
    took_s = _seconds(loaded, lambda: tidy(settings(loaded.home), loaded.state, loaded.transport, SystemClock()))
    left = sum(one.done for one in loaded.transport.counts())
    print(f"one tidy-up: {took_s:.3f} s, {after_one - left} results gone")
    while loaded.transport.counts():
        tidy(settings(loaded.home), loaded.state, loaded.transport, CountingClock())

    assert after_one == AT_ONCE - 3 * PRUNED_AT_ONCE


def test_the_file_does_not_grow_with_what_has_passed_through_it(loaded: Loaded) -> None:
    sizes = []
    for _ in range(4):
        loaded.add(kept=AT_ONCE, ready=0, keep_s=0.001)
        while loaded.transport.prune(0.0, 5000):
            pass
        sizes.append(os.path.getsize(f"{loaded.state.path}/queue.db"))
    print(f"sizes after each {AT_ONCE} messages: {sizes}")

    assert sizes[-1] <= 1.2 * sizes[0]
    assert os.path.getsize(f"{loaded.state.path}/queue.db-wal") < 64 * 1024 * 1024

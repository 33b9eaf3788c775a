"""What the minutely tick costs: idle, with a million messages queued and kept, and when it starts consumers."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.figures import Figure, Plot, Section, Table, at_most, number
from benchmarks.million import DONE, READY
from benchmarks.project import consumes, environment, project, tick_command
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.settings import Run

FLOOR, IDLE, LOADED, IMPORT = "python -c pass", "tick, idle", "tick, full queue", "import cronq"
ONE_GROUP = '[[consumers]]\nname = "standby"\nqueues = ["high", "normal", "low"]\nautoscale = { min = 1, max = 1 }\n'
FOUR_GROUPS = "".join(
    f'[[consumers]]\nname = "{name}"\nqueues = ["{name}"]\nautoscale = {{ min = 1, max = 1 }}\n'
    for name in ("high", "normal", "low", "mail")
)
HOW = """One consumer lives and nothing is due. The full queue holds {many:,} messages queued (the queue is paused, so
that they stay) and {many:,} kept with their results. A tick that has four consumers to start takes {extra} ms longer. A
day's 1,440 idle ticks cost {day} CPU seconds."""


class Cost(NamedTuple):
    wall_ms: float
    cpu_ms: float


def measure(run: Run) -> Section:
    costs, peak = interleaved(run)
    rows = [
        [
            name,
            *(Figure.of([getattr(one, field) for one in found]).text() for field in Cost._fields),
            number(peak[name]),
        ]
        for name, found in costs.items()
    ]
    extra = spawning_ms(max(3, run.pace.process_rounds // 5))
    day_s = 1440 * _median(costs[IDLE], "cpu_ms") / 1e3
    return Section(
        "The tick",
        HOW.format(many=run.pace.many, extra=number(extra), day=number(day_s)),
        [Table(["", "wall, ms", "CPU, ms", "peak memory, MB"], rows)],
        [Plot("tick", "One process", "ms", [(name, _median(found, "wall_ms")) for name, found in costs.items()])],
        [
            at_most("idle tick, wall, of python -c pass", _ratio(costs, IDLE, FLOOR, "wall_ms"), 3.5, " x"),
            at_most("idle tick, CPU, of python -c pass", _ratio(costs, IDLE, FLOOR, "cpu_ms"), 3.5, " x"),
            at_most(
                f"tick with {run.pace.many:,} queued and kept, of idle",
                _ratio(costs, LOADED, IDLE, "wall_ms"),
                1.1,
                " x",
            ),
            at_most("ticks of a day, CPU", day_s, 60, " s"),
        ],
    )


def interleaved(run: Run) -> tuple[dict[str, list[Cost]], dict[str, float]]:
    """Run the commands in turns; return what each run cost, and the peak memory of each command."""
    with project(ONE_GROUP) as empty, project(ONE_GROUP) as full:
        queue = run.million.copy(full / ".cronq" / "queue.db", READY, DONE, count=run.pace.many)
        (full / ".cronq").chmod(0o700)
        with sqlite3.connect(queue) as connection:
            connection.execute("INSERT INTO paused (queue) VALUES ('high')")
        connection.close()
        commands = {
            FLOOR: ([sys.executable, "-c", "pass"], environment(empty)),
            IDLE: (tick_command(empty), environment(empty)),
            LOADED: (tick_command(full), environment(full)),
            IMPORT: ([sys.executable, "-c", "import cronq"], environment(empty)),
        }
        for path in (empty, full):
            run_once(tick_command(path), environment(path))
            wait_until(partial(consumes, path, "standby.0"))
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(run.pace.process_rounds):
            for name, (argv, env) in commands.items():
                costs[name].append(run_once(argv, env))
        return costs, {name: peak_mb(argv, env) for name, (argv, env) in commands.items()}


def run_once(argv: list[str], env: Mapping[str, str]) -> Cost:
    """Run a command, without a shell."""
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{argv} ended with status {status}")
    wall = time.perf_counter() - began
    return Cost(1e3 * wall, 1e3 * (usage.ru_utime + usage.ru_stime))


PEAK = """
import os, resource, sys
os.waitpid(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ), 0)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_mb(argv: Sequence[str], env: Mapping[str, str]) -> float:
    """Return the peak memory of a command, started by a small process: a new one inherits the peak of its parent."""
    said = subprocess.run([sys.executable, "-I", "-S", "-c", PEAK, *argv], env=env, check=True, stdout=subprocess.PIPE)
    return int(said.stdout.split()[-1]) / 1024


def spawning_ms(rounds: int) -> float:
    """Return by how much a tick that starts four consumers takes longer than one that starts none."""
    extra = []
    for _ in range(rounds):
        with project(FOUR_GROUPS) as path:
            env = environment(path)
            _make_database(path, env)
            spawning = run_once(tick_command(path), env).wall_ms
            wait_until(partial(consumes, path, "high.0", "normal.0", "low.0", "mail.0"))
            extra.append(spawning - run_once(tick_command(path), env).wall_ms)
    return Figure.of(extra).median


def _make_database(path: Path, env: Mapping[str, str]) -> None:
    subprocess.run([*tick_command(path), "--dry-run"], env=env, check=True, stdout=subprocess.DEVNULL)


def _median(costs: Sequence[Cost], field: str) -> float:
    return Figure.of([getattr(one, field) for one in costs]).median


def _ratio(costs: Mapping[str, Sequence[Cost]], name: str, floor: str, field: str) -> float:
    return _median(costs[name], field) / _median(costs[floor], field)

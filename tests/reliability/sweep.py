"""The sweep: each role killed at each of its points, two at a time: `python -m tests.reliability.sweep [ROLE ...]`.

Tests take a sample, or all points with CRONQ_SWEEP=full.
"""

from __future__ import annotations

import compileall
import os
import random
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cronq
import wsgi_hooks
from tests.reliability.checker import Verdict, check
from tests.reliability.scenario import ROLES, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.reliability.scenario import Project
    from tests.reliability.strace import Point

AT_ONCE = 2
A_FEW = 3
IS_FULL = os.environ.get("CRONQ_SWEEP") == "full"  # asked here, because no test sees a variable of cronq's (conftest)


class Outcome(NamedTuple):
    """What came of one kill."""

    role: str
    point: Point
    was_killed: bool
    verdict: Verdict
    faults: tuple[str, ...]


class Sweeper:
    """Kills one role in copies of one prepared project."""

    def __init__(self, role: Role, base: Path) -> None:
        name = role.name.replace(", ", "-")
        self.role = role
        self._template = role.prepare(base / name)
        self._template.end()
        self.points = self._count(base / f"{name}-counted")

    def _count(self, home: Path) -> list[Point]:
        project = self._copy(home)
        try:
            return project.points(self.role.command)
        finally:
            project.kill_all()

    def _copy(self, home: Path) -> Project:
        project = self._template.copy(home)
        if self.role.beside:
            project.start(*self.role.beside)
        return project

    def kill_at(self, point: Point) -> Outcome:
        project = self._copy(self._template.home.with_name(f"{self._template.home.name}-{point.syscall}-{point.n}"))
        was_killed = False
        try:
            was_killed = project.kill_at(point, self.role.command)
            project.get_over_it()
            verdict = check(project.home)
        except Exception as error:  # a stuck slot shows as a wait without end
            verdict = Verdict(wrong=(f"{type(error).__name__}: {error}",))
        finally:
            project.kill_all()
        faults = tuple(verdict.faults(self.role.kills))
        if not faults:
            shutil.rmtree(project.home)
        return Outcome(self.role.name, point, was_killed, verdict, faults)


def sampled(points: Sequence[Point], most: int, seed: int) -> list[Point]:
    """Return some of the points, of every system call at least one."""
    drawn = random.Random(seed)
    by_syscall: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        by_syscall[point.syscall].append(point)
    chosen = [drawn.choice(same) for same in by_syscall.values()]
    others = [point for point in points if point not in chosen]
    return [*chosen, *drawn.sample(others, max(0, min(most - len(chosen), len(others))))]


def table(outcomes: Iterable[Outcome]) -> str:
    """Say per role and system call how many points were tried, and how many messages were lost or run again."""
    rows: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for one in outcomes:
        for key in ((one.role, one.point.syscall), (one.role, "all")):
            row = rows[key]
            row[0] += one.was_killed
            row[1] += len(one.verdict.lost)
            row[2] += len(one.verdict.repeated)
            row[3] += bool(one.faults)
    lines = [f"{'role':19} {'syscall':10} {'points':>7} {'lost':>6} {'repeated':>9} {'faults':>7}"]
    lines += [
        f"{role:19} {syscall:10} {tried:7} {lost:6} {repeated:9} {faults:7}"
        for (role, syscall), (tried, lost, repeated, faults) in rows.items()
    ]
    return "\n".join(lines)


def compile_all() -> None:
    """So that the commands that are killed find bytecode and write none: they are told not to."""
    for package in (cronq, wsgi_hooks):
        compileall.compile_dir(package.__path__[0], quiet=1)


def sweep(role: Role, base: Path, most: int | None = None, until: float | None = None, seed: int = 1) -> list[Outcome]:
    """Kill a role at all points, or at `most` of them.

    Once it was killed at a few, however long that took, none is begun after `until` (monotonic seconds).
    """
    sweeper = Sweeper(role, base)
    points = sweeper.points if most is None else sampled(sweeper.points, most, seed)

    kills: list[Point] = []

    def kill_at(point: Point) -> Outcome | None:
        if until is not None and len(kills) >= A_FEW and time.monotonic() > until:
            return None
        outcome = sweeper.kill_at(point)
        if outcome.was_killed:
            kills.append(point)
        return outcome

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [outcome for outcome in pool.map(kill_at, points) if outcome is not None]


def main(names: Sequence[str]) -> int:
    base = Path(tempfile.mkdtemp(prefix="cronq-sweep-", dir=Path.home()))
    compile_all()
    outcomes: list[Outcome] = []
    for role in ROLES:
        if not names or role.name in names:
            began = time.monotonic()
            found = sweep(role, base)
            outcomes += found
            print(f"{role.name}: {len(found)} points in {time.monotonic() - began:.0f} s", flush=True)
            for one in found:
                for fault in one.faults:
                    print(f"  {one.point.syscall} {one.point.n}: {fault}", flush=True)
    print(table(outcomes))
    faulty = any(one.faults for one in outcomes)
    if faulty:
        print(f"the projects with faults are kept in {base}")
    else:
        shutil.rmtree(base)
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

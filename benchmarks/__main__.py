"""`python -m benchmarks [--quick] [--only NAME ...] [--output FILE]`: measure, and write the report."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contest import Arena, ContestError
from benchmarks.figures import Section
from benchmarks.measures import NAMES
from benchmarks.million import Million
from benchmarks.places import REPOSITORY, work_directory
from benchmarks.report import write
from benchmarks.servers import servers
from benchmarks.settings import FULL, QUICK, Run
from benchmarks.shim import ShimError

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT = REPOSITORY / "docs" / "performance.md"


def main() -> None:
    given = _parse()
    pace = QUICK if given.quick else FULL
    if given.many:
        pace = pace._replace(many=given.many)
    partly = given.quick or given.only or given.many
    output = given.output or (REPOSITORY / ".benchmarks" / "performance.md" if partly else REPORT)
    with servers(wanted=any(one.server for one in pace.contestants)) as known, work_directory() as directory:
        run = Run(Arena(known), pace, Million(directory), sync_ms())
        for contestant in pace.contestants:
            if reason := run.arena.why_not(contestant):
                _say(f"without {contestant.name}: {reason}")
        machine, sections = [*_machine(run), *_who(run)], []
        for name in given.only or NAMES:
            sections.append(_measure(name, run))
            write(sections, machine, output)  # again after each, so that a run cut short leaves what it found
    _say(f"wrote {output}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few minutes: short bursts, peers on SQLite only")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--many", type=int, metavar="N", help="what a full queue holds (default 1,000,000)")
    parser.add_argument("--output", type=Path, help="default docs/performance.md; a partial run: .benchmarks/")
    return parser.parse_args()


def _measure(name: str, run: Run) -> Section:
    began = time.monotonic()
    try:
        section: Section = importlib.import_module(f"benchmarks.measures.{name}").measure(run)
    except (ContestError, ShimError, OSError, subprocess.SubprocessError) as error:
        section = Section(name.replace("_", " ").capitalize(), f"Not measured: {error}")
        _say(f"{name}: {section.how}")  # a contestant that fails here must not cost what the others have shown
    _say(f"{name}: {time.monotonic() - began:.0f} s")
    for target in section.targets:
        _say(f"  {'ok  ' if target.is_met else 'MISS'}  {target.about}: {target.measured} ({target.bound})")
    return section


def _machine(run: Run) -> list[str]:
    cpu = "unknown processor"
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line for line in lines if line.startswith("model name")).partition(": ")[2]
    return [
        f"{time.strftime('%Y-%m-%d', time.gmtime())}, {cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        f"Linux {platform.release()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"one fdatasync {run.sync_ms:.2f} ms, `python -c pass` {python_ms():.1f} ms",
    ]


def python_ms() -> float:
    """Return the median time that a Python takes which does nothing: how fast the machine is just now."""
    times = []
    for _ in range(21):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        times.append(1e3 * (time.perf_counter() - began))
    return sorted(times)[10]


def sync_ms() -> float:
    """Return the median time of writing a page and syncing it where benchmarks work."""
    times = []
    with work_directory() as directory, (directory / "page").open("wb", buffering=0) as file:
        for _ in range(101):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            times.append(1e3 * (time.perf_counter() - began))
    return sorted(times)[50]


def _who(run: Run) -> Sequence[str]:
    """Return versions and durability of everybody, and who is missing."""
    lines = []
    for contestant in run.pace.contestants:
        reason = run.arena.why_not(contestant)
        if reason:
            lines.append(f"not measured: {contestant.name}, since {reason}")
            continue
        with run.arena.contest(contestant) as contest:
            versions = ", ".join(f"{name} {version}" for name, version in contest.versions.items()) or "sqlite3"
        lines.append(f"{contestant.name}: {versions}; {contestant.durability}")
    return lines


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""What a worker costs that has nothing to do: CPU and memory. All workers idle at the same time."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.contest import ContestError, pids_of
from benchmarks.contestants import CRONQ
from benchmarks.figures import Plot, Section, Table, at_most, number

if TYPE_CHECKING:
    from benchmarks.settings import Run

FOUR = "cronq, four consumers"
HOW = """Each worker has run one message, then nothing comes for {seconds:.0f} s; all of them at the same time. PSS is
the memory of all its processes, shared pages counted in proportion."""


class Idle(NamedTuple):
    cpu_s: float
    pss_mb: float
    rss_mb: float


def measure(run: Run) -> Section:
    seconds = run.pace.idle_s
    found = watch(run, seconds)
    rows = [
        [name, f"{seen.cpu_s * 30 / seconds:.3f}", number(seen.pss_mb), number(seen.rss_mb)]
        for name, seen in found.items()
    ]
    ours, four = found[CRONQ.name], found[FOUR]
    return Section(
        "Idle",
        HOW.format(seconds=seconds),
        [Table(["", "CPU s in 30 s", "PSS, MB", "RSS, MB"], rows)],
        [Plot("memory", "Memory of an idle worker", "PSS, MB", [(name, seen.pss_mb) for name, seen in found.items()])],
        [
            at_most("idle consumer, CPU in 30 s", ours.cpu_s * 30 / seconds, 0.01, " s"),
            at_most("idle consumer, RSS", ours.rss_mb, 24, " MB"),
            at_most("four idle consumers, PSS", four.pss_mb, 60, " MB"),
        ],
    )


def watch(run: Run, seconds: float) -> dict[str, Idle]:
    """Start a worker of everybody and four of cronq, and return what they use while nothing comes."""
    with ExitStack() as stack:
        sessions: dict[str, list[int]] = {}
        entries = [(one.name, one, 1) for one in run.contestants()] + [(FOUR, CRONQ, 4)]
        for name, contestant, count in entries:
            contest = stack.enter_context(run.arena.contest(contestant, BENCH_CONSUMERS=str(count)))
            contest.do("one")
            sessions[name] = [stack.enter_context(contest.worker()).pid for _ in range(count)]
            contest.wait_for_marks(1)
        time.sleep(3)
        before = {name: _cpu_s(pids) for name, pids in sessions.items()}
        time.sleep(seconds)
        return {name: _seen(name, pids, before[name]) for name, pids in sessions.items()}


def _seen(name: str, sessions: list[int], before: float) -> Idle:
    processes = [pid for session in sessions for pid in pids_of(session)]
    if not processes:
        raise ContestError(f"{name}: its worker has ended while it was idle")
    return Idle(
        _cpu_s(sessions) - before,
        sum(mb(pid, "smaps_rollup", "Pss:") for pid in processes),
        sum(mb(pid, "status", "VmRSS:") for pid in processes),
    )


def _cpu_s(sessions: list[int]) -> float:
    """CPU seconds from the scheduler's own nanoseconds (/proc/PID/task/TID/schedstat), finer than clock ticks."""
    found = [read(path) for session in sessions for pid in pids_of(session) for path in _tasks(pid)]
    return sum(int(text.split()[0]) for text in found if text) / 1e9


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").glob("*/schedstat"))


def mb(pid: int, file: str, field: str) -> float:
    """Return a size from /proc in MB; 0 for a process that has just ended."""
    lines = read(Path(f"/proc/{pid}/{file}")).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0) / 1024


def read(path: Path) -> str:
    """Return the text of a file of /proc, none when its process has ended meanwhile (a child of a worker)."""
    try:
        return path.read_text()
    except OSError:
        return ""

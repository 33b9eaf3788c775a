"""What becomes of the message that a worker was running when it was killed with SIGKILL."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contest import kill
from benchmarks.figures import Section, Table
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from benchmarks.contest import Contest
    from benchmarks.settings import Run

HOW = """A worker is killed in the middle of a message, with all its processes, and a new one is started at once. Does
the message run again? All contestants wait at the same time; defaults, no retry was asked for."""


def measure(run: Run) -> Section:
    with ExitStack() as stack:
        contests = []
        for contestant in run.contestants():
            contest = stack.enter_context(run.arena.contest(contestant))
            contest.do("hang")
            process = contest.start("worker")
            wait_until(partial(contest.lines, "starts"), 60)
            kill(process)
            contests.append((contest, time.monotonic()))
            stack.enter_context(contest.worker())
        last = contests[-1][1] + run.pace.killed_s
        while time.monotonic() < last and not all(_is_back(contest) for contest, _ in contests):
            time.sleep(0.1)
        rows = [[one.contestant.name, _fate(one, killed_at, run.pace.killed_s)] for one, killed_at in contests]
    return Section("The message of a killed worker", HOW, [Table(["", "runs again"], rows)])


def _is_back(contest: Contest) -> bool:
    return len(contest.lines("starts")) > 1


def _fate(contest: Contest, killed_at: float, waited_s: float) -> str:
    if not _is_back(contest):
        return f"not within {waited_s:.0f} s"
    return f"after {float(contest.lines('starts')[1]) - killed_at:.1f} s"

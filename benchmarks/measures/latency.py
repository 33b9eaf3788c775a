"""How long a message takes from enqueue to its start when the worker is idle, and how many of four idle ones wake."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.contest import pids_of
from benchmarks.contestants import CRONQ, RAW_WOKEN
from benchmarks.figures import Plot, Section, Table, at_most, number, percentile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.contest import Contest
    from benchmarks.contestants import Contestant
    from benchmarks.settings import Run

AT_MOST = 400
REST_MS, SHORT_REST_MS = 10, 1
HOW = """One message after the other, each 10 to 40 ms after the one before has run. The worker is idle. Counted from
the call of enqueue to the start of the message; the last column is how long the enqueue took. cronq wakes a consumer
as soon as it can see the message, while the enqueue waits for the disk: so a message may run before its enqueue has
returned. {floor} does the same, and is the least that a queue in SQLite can take here: one INSERT, one byte into a
FIFO, and a worker that sleeps on it and marks the row. After 10 ms of rest a processor has slept and its caches hold
other things; so the second table says what is left after 1 to 4 ms."""


def measure(run: Run) -> Section:
    found = {one.name: waits(run, one, REST_MS) for one in (*run.contestants(), RAW_WOKEN)}
    soon = {one.name: waits(run, one, SHORT_REST_MS) for one in (CRONQ, RAW_WOKEN)}
    woken = wakes_per_message(run)
    ours = found[CRONQ.name].ms
    p50 = [(name, percentile(one.ms, 0.5)) for name, one in found.items() if one.ms]
    return Section(
        "Latency",
        f"{HOW.format(floor=RAW_WOKEN.name)} Of four idle cronq consumers, {number(woken)} wake for a message.",
        [_table("", found), _table("sent 1 to 4 ms after the one before has run", soon)],
        [Plot("latency", "Latency, p50", "ms", p50)],
        [
            at_most("latency with an idle consumer, p50", percentile(ours, 0.5), 0.5, " ms"),
            at_most("latency 1 to 4 ms after the last, p50", percentile(soon[CRONQ.name].ms, 0.5), 0.5, " ms"),
            at_most("latency with an idle consumer, p99", percentile(ours, 0.99), 5, " ms"),
            at_most("consumers of four that wake for a message", woken, 1.2),
        ],
    )


class Waits(NamedTuple):
    """Milliseconds that messages waited for their start, and how much of them the call of enqueue took."""

    ms: list[float]
    enqueue_ms: list[float]


def waits(run: Run, contestant: Contestant, rest_ms: int) -> Waits:
    """Return how long messages wait that are sent one to four rests after the one before has run."""
    with run.arena.contest(contestant) as contest:
        contest.do("one")
        with contest.worker():
            contest.wait_for_marks(1)
            return Waits(**contest.do("latency", AT_MOST, int(run.pace.latency_s), rest_ms))


def _table(about: str, found: Mapping[str, Waits]) -> Table:
    head = [about, "p50, ms", "p99, ms", "longest, ms", "messages", "enqueue, p50, ms"]
    rows = []
    for name, (ms, enqueue_ms) in found.items():
        if ms:
            figures = (percentile(ms, 0.5), percentile(ms, 0.99), max(ms))
            rows.append([name, *map(number, figures), str(len(ms)), number(percentile(enqueue_ms, 0.5))])
    return Table(head, rows)


def wakes_per_message(run: Run, messages: int = 30) -> float:
    """Return how many of four idle consumers do anything when a message comes."""
    with run.arena.contest(CRONQ, BENCH_CONSUMERS="4") as contest, ExitStack() as stack:
        workers = [stack.enter_context(contest.worker()) for _ in range(4)]
        contest.do("one")
        contest.wait_for_marks(1)
        time.sleep(1.5)  # until all four have nothing more to start
        return sum(_woken(contest, [pid for one in workers for pid in pids_of(one.pid)]) for _ in range(messages)) / (
            messages
        )


def _woken(contest: Contest, pids: list[int]) -> int:
    before, marks = [_switches(pid) for pid in pids], len(contest.lines("marks"))
    contest.do("one")
    contest.wait_for_marks(marks + 1)
    time.sleep(0.02)
    return sum(_switches(pid) > known for pid, known in zip(pids, before, strict=True))


def _switches(pid: int) -> int:
    """Return how often a process has gone to sleep (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))

"""Eight processes enqueue while two consumers drain: the rate, and whether anything is lost, doubled or refused."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import shim
from benchmarks.contestants import CRONQ, HUEY
from benchmarks.figures import Figure, Section, Table, at_least, at_most
from benchmarks.measures.slow_disk import SLOW_US
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.contest import Arena, Contest
    from benchmarks.settings import Run

PRODUCERS, CONSUMERS = 8, 2
HOW = """Eight processes enqueue one message after the other, each with its commit, while two workers run them; every
message writes a line into a file. Measured from the first enqueue until all have run. The longest enqueue
is what somebody waited whose page enqueued a message meanwhile. The second table is the same where every fsync takes
5 ms (`benchmarks/slow_fsync.c`): what waits for the disk under the write lock has all others wait there."""


class Outcome(NamedTuple):
    per_s: float
    longest_ms: float
    wrong: int
    refused: int


def measure(run: Run) -> Section:
    slow_disk = run.arena._replace(extra={**run.arena.extra, **shim.environment(SLOW_US)})
    usual = outcomes(run.arena, run.pace.peer_rounds, int(150 * run.pace.burst_s))
    slow = outcomes(slow_disk, run.pace.peer_rounds, int(50 * run.pace.burst_s))
    ours = usual[CRONQ.name]
    return Section(
        "Eight producers, two consumers",
        HOW,
        [_table("", usual), _table("fsync takes 5 ms", slow)],
        targets=[
            at_least("8 producers and 2 consumers, of huey's rate", _per_s(ours) / _per_s(usual[HUEY.name]), 1.0, " x"),
            at_most(
                "8 producers and 2 consumers: lost, doubled or refused",
                sum(one.wrong + one.refused for one in [*ours, *slow[CRONQ.name]]),
                0,
            ),
        ],
    )


def outcomes(arena: Arena, rounds: int, messages: int) -> dict[str, list[Outcome]]:
    """Return how cronq and huey did, in turns."""
    found: dict[str, list[Outcome]] = {CRONQ.name: [], HUEY.name: []}
    for contestant in (CRONQ, HUEY) * rounds:
        with arena.contest(contestant, BENCH_CONSUMERS=str(CONSUMERS)) as contest:
            found[contestant.name].append(crowd(contest, messages))
    return found


def _table(about: str, found: Mapping[str, Sequence[Outcome]]) -> Table:
    head = [about, "messages/s", "longest enqueue, ms", "lost or doubled", "processes told 'database is locked'"]
    rows = [
        [
            name,
            Figure.of([one.per_s for one in those]).text(),
            Figure.of([one.longest_ms for one in those]).text(),
            str(sum(one.wrong for one in those)),
            str(sum(one.refused for one in those)),
        ]
        for name, those in found.items()
    ]
    return Table(head, rows)


def crowd(contest: Contest, messages: int) -> Outcome:
    """Let all of them work at the same time, `messages` for each producer."""
    with ExitStack() as stack:
        for _ in range(CONSUMERS):
            stack.enter_context(contest.worker())
        contest.do("one")
        contest.wait_for_marks(1)
        producers = [contest.start("tallies", number, messages) for number in range(PRODUCERS)]
        failed = sum(process.wait() != 0 for process in producers)
        try:
            wait_until(lambda: len(contest.lines("tallies")) >= PRODUCERS * messages, 30, every_s=0.05)
        except TimeoutError:
            pass  # what is missing counts as lost
        lines = [line.split() for line in contest.lines("tallies")]
    seen = Counter(name for name, _ in lines)
    expected = {f"{producer}:{number}" for producer in range(PRODUCERS) for number in range(messages)}
    wrong = len(expected - seen.keys()) + sum(count - 1 for count in seen.values())
    said = (contest.directory / "log").read_text(errors="replace")
    locked = said.count("database is locked")
    answers = [json.loads(line) for line in said.splitlines() if line.startswith('{"longest_ms"')]
    longest_ms = max((one["longest_ms"] for one in answers), default=0.0)
    began = min((one["first_at"] for one in answers), default=0.0)  # none: all were refused
    ended = max((float(at) for _, at in lines), default=began)
    return Outcome(len(lines) / max(1e-9, ended - began), longest_ms, wrong, max(failed, locked))


def _per_s(found: Sequence[Outcome]) -> float:
    return Figure.of([one.per_s for one in found]).median

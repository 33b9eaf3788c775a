"""Eight processes enqueue while two consumers drain: the rate, and whether anything is lost, doubled or refused."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.contestants import CRONQ, HUEY
from benchmarks.figures import Figure, Section, Table, at_least, at_most
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from benchmarks.contest import Contest
    from benchmarks.settings import Run

PRODUCERS, CONSUMERS = 8, 2
HOW = """Eight processes enqueue one message after the other, each with its commit, while two workers run them; every
message writes a line into a file. Measured from the first start of a producer until all have run."""


class Outcome(NamedTuple):
    per_s: float
    wrong: int
    refused: int


def measure(run: Run) -> Section:
    messages = int(150 * run.pace.burst_s)
    outcomes: dict[str, list[Outcome]] = {CRONQ.name: [], HUEY.name: []}
    for contestant in (CRONQ, HUEY) * run.pace.peer_rounds:
        with run.arena.contest(contestant, BENCH_CONSUMERS=str(CONSUMERS)) as contest:
            outcomes[contestant.name].append(crowd(contest, messages))
    speed = {name: Figure.of([one.per_s for one in found]) for name, found in outcomes.items()}
    wrong = {name: sum(one.wrong for one in found) for name, found in outcomes.items()}
    refused = {name: sum(one.refused for one in found) for name, found in outcomes.items()}
    rows = [[name, speed[name].text(), str(wrong[name]), str(refused[name])] for name in outcomes]
    return Section(
        "Eight producers, two consumers",
        HOW,
        [Table(["", "messages/s", "lost or doubled", "processes told 'database is locked'"], rows)],
        targets=[
            at_least("8 producers and 2 consumers, of huey's rate", _ratio(speed), 1.0, " x"),
            at_most(
                "8 producers and 2 consumers: lost, doubled or refused", wrong[CRONQ.name] + refused[CRONQ.name], 0
            ),
        ],
    )


def crowd(contest: Contest, messages: int) -> Outcome:
    """Let all of them work at the same time, `messages` for each producer."""
    with ExitStack() as stack:
        for _ in range(CONSUMERS):
            stack.enter_context(contest.worker())
        contest.do("one")
        contest.wait_for_marks(1)
        began = time.monotonic()
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
    locked = (contest.directory / "log").read_text(errors="replace").count("database is locked")
    ended = max((float(at) for _, at in lines), default=began)
    return Outcome(len(lines) / max(1e-9, ended - began), wrong, max(failed, locked))


def _ratio(speed: dict[str, Figure]) -> float:
    return speed[CRONQ.name].median / speed[HUEY.name].median

"""How fast a backlog of messages that do nothing is worked off by one worker, and what CPU that takes."""

from __future__ import annotations

from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks.contestants import CRONQ, CRONQ_EACH, HUEY, RAW
from benchmarks.figures import Figure, Plot, Section, Table, Target, at_least, at_most, paired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.contest import Contest
    from benchmarks.settings import Run

LONGER = 4
HOW = """Messages that do nothing are enqueued, then one worker is started; measured from its first message to its last,
so that its start does not count. CPU is that of all processes of the worker, system calls included. Two consumers of
cronq are compared with one, in turns, on {times} times as many messages: the second starts while the first works."""


def measure(run: Run) -> Section:
    speed: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for contestant in run.turns():
        with run.arena.contest(contestant) as contest:
            rate, cost = drain(contest, run.backlog(contestant))
            speed[contestant.name].append(rate)
            cpu[contestant.name].append(cost)
    names = [one.name for one in run.contestants()]
    rows = [[name, Figure.of(speed[name]).text(), Figure.of(cpu[name]).text()] for name in names]
    one, two = together(run)
    of_two = [[f"{count} of cronq", Figure.of(found).text()] for count, found in (("one", one), ("two", two))]
    return Section(
        "Drain",
        HOW.format(times=LONGER),
        [Table(["one worker", "messages/s", "CPU, us per message"], rows), Table(["consumers", "messages/s"], of_two)],
        [
            Plot("drain", "Drain, one worker", "messages/s", [(name, Figure.of(speed[name]).median) for name in names]),
            Plot("cpu", "CPU of the worker", "us per message", [(name, Figure.of(cpu[name]).median) for name in names]),
        ],
        [*targets(speed, cpu), at_least("drain by two consumers, of one", paired(two, one), 1.0, " x")],
    )


def together(run: Run) -> tuple[list[float], list[float]]:
    """Return the speeds of one consumer, and of two, in turns."""
    speeds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(run.pace.rounds):
        for workers, found in speeds.items():
            with run.arena.contest(CRONQ, BENCH_CONSUMERS=str(workers)) as contest:
                found.append(drain(contest, LONGER * run.backlog(CRONQ), workers)[0])
    return speeds[1], speeds[2]


def drain(contest: Contest, messages: int, workers: int = 1) -> tuple[float, float]:
    """Return messages per second, and CPU microseconds per message of one worker."""
    contest.do("backlog", messages)
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(contest.worker())
        first, last = contest.wait_for_marks(2)
    return messages / (last.began - first.ended), 1e6 * (last.cpu_s - first.cpu_s) / messages


def targets(speed: Mapping[str, list[float]], cpu: Mapping[str, list[float]]) -> list[Target]:
    median = {name: Figure.of(values).median for name, values in speed.items()}
    return [
        at_least("drain, one consumer, messages/s", median[CRONQ.name], 20_000),
        at_least("drain, of huey SQLite with fsync", paired(speed[CRONQ.name], speed[HUEY.name]), 6, " x"),
        at_least("drain with ack = each, of the raw limit", paired(speed[CRONQ_EACH.name], speed[RAW.name]), 0.7, " x"),
        at_most("CPU per message that does nothing, us", Figure.of(cpu[CRONQ.name]).median, 45),
    ]

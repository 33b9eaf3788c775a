"""How fast messages are taken: one by one, each with its own commit or round trip, and ten thousand at once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from benchmarks.contestants import CRONQ, CRONQ_NORMAL, RAW, RAW_NORMAL
from benchmarks.figures import Figure, Plot, Section, Table, Target, at_least, paired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.settings import Run

AT_ONCE = 10_000
HOW = """One process enqueues calls of a task that does nothing, without arguments. "At once" is the documented way for
many, with 10,000 calls; a dash where there is none."""


def measure(run: Run) -> Section:
    single: dict[str, list[float]] = defaultdict(list)
    bulk: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for contestant in run.turns():
        with run.arena.contest(contestant) as contest:
            done = contest.do("enqueue", int(500 * run.pace.burst_s))
            single[contestant.name].append(done["count"] / done["wall_s"])
            cpu[contestant.name].append(1e6 * done["cpu_s"] / done["count"])
            many = contest.do("bulk", AT_ONCE)
            if many["count"]:
                bulk[contestant.name].append(many["count"] / many["wall_s"])
    rows = [
        [
            one.name,
            Figure.of(single[one.name]).text(),
            Figure.of(bulk[one.name]).text() if bulk[one.name] else "-",
            Figure.of(cpu[one.name]).text(),
            one.durability,
        ]
        for one in run.contestants()
    ]
    return Section(
        "Enqueue",
        HOW,
        [
            Table(
                ["", "one by one, messages/s", "at once, messages/s", "client CPU, us per message", "durability"], rows
            )
        ],
        [Plot("enqueue", "Enqueue, one by one", "messages/s", [(name, _median(single, name)) for name in single])],
        targets(single, bulk),
    )


def targets(single: Mapping[str, list[float]], bulk: Mapping[str, list[float]]) -> list[Target]:
    raw = _median(single, RAW.name)
    many = _median(bulk, CRONQ.name)
    bound = min(60_000.0, 15 * raw)
    return [
        at_least("enqueue one by one, of the raw limit", paired(single[CRONQ.name], single[RAW.name]), 0.85, " x"),
        at_least("enqueue_many of 10,000, messages/s (60,000, or 15 x the raw limit)", many, bound),
        at_least(
            "enqueue one by one with durability = normal, of the raw limit",
            paired(single[CRONQ_NORMAL.name], single[RAW_NORMAL.name]),
            0.5,
            " x",
        ),
    ]


def _median(values: Mapping[str, list[float]], name: str) -> float:
    return Figure.of(values[name]).median

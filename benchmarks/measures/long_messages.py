"""What is lost of a consumer's time between messages that take 5 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contestants import CRONQ, CRONQ_EACH, HUEY
from benchmarks.figures import Figure, Section, Table, at_least

if TYPE_CHECKING:
    from benchmarks.settings import Run

EACH_S = 0.005
HOW = "Messages that compute for 5 ms, one worker: the share of the time that was theirs."


def measure(run: Run) -> Section:
    messages = int(200 * run.pace.burst_s)
    shares: dict[str, list[float]] = {CRONQ.name: [], CRONQ_EACH.name: [], HUEY.name: []}
    for contestant in (CRONQ, CRONQ_EACH, HUEY) * run.pace.peer_rounds:
        with run.arena.contest(contestant) as contest:
            contest.do("spins", messages)
            with contest.worker():
                first, last = contest.wait_for_marks(2)
            shares[contestant.name].append(messages * EACH_S / (last.began - first.ended))
    rows = [[name, Figure.of(values).text()] for name, values in shares.items()]
    target = at_least("messages of 5 ms: their own share of the time", Figure.of(shares[CRONQ.name]).median, 0.95)
    return Section("Messages of 5 ms", HOW, [Table(["", "share"], rows)], targets=[target])

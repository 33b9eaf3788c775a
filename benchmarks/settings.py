"""How long a run takes its time, and what every measure is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from benchmarks.contestants import CRONQ, EVERYBODY, FSYNC, HUEY, LIMITS, OWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.contest import Arena
    from benchmarks.contestants import Contestant
    from benchmarks.million import Million


CHEAP_SYNC_MS = 0.2  # what a sync takes where the contestants' `per_s` were found


class Pace(NamedTuple):
    """How much is measured. Seconds are for one burst of one contestant; `many` is what a full queue holds."""

    contestants: Sequence[Contestant]
    rounds: int
    peer_rounds: int
    burst_s: float
    latency_s: float
    idle_s: float
    killed_s: float
    many: int
    process_rounds: int


FULL = Pace(EVERYBODY, 5, 3, 2.0, 10.0, 30.0, 60.0, 1_000_000, 31)
QUICK = Pace((*OWN, *LIMITS, HUEY), 2, 2, 0.6, 3.0, 5.0, 10.0, 100_000, 9)


class Run(NamedTuple):
    """What a measure is given: where contests are held, how much to measure, full queues, and what a sync takes."""

    arena: Arena
    pace: Pace
    million: Million
    sync_ms: float

    def backlog(self, contestant: Contestant) -> int:
        """Return how many messages to drain in a burst: fewer where each waits for a slow disk."""
        waits = contestant.durability == FSYNC and contestant.name != CRONQ.name
        slower = max(1.0, self.sync_ms / CHEAP_SYNC_MS) if waits else 1.0
        return max(20, int(contestant.per_s * self.pace.burst_s / slower))

    def contestants(self) -> list[Contestant]:
        """Return who can take part here."""
        return [one for one in self.pace.contestants if self.arena.why_not(one) is None]

    def turns(self) -> list[Contestant]:
        """Return who is measured, one after the other: everybody in turns, peers in fewer of them."""
        able = self.contestants()
        return [
            one
            for number in range(self.pace.rounds)
            for one in able
            if number < self.pace.peer_rounds or one in (*OWN, *LIMITS, HUEY)
        ]

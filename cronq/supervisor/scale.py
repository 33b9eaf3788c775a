"""How many consumers a group should have, and who gets the account's few processes. Pure."""

from __future__ import annotations

from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Demand(NamedTuple):
    """What is known of one group when it is scaled: its bounds, its live consumers, its ready messages.

    `standing_in` are consumers of other groups that serve all of its `queues` and have nothing to do: they count as its
    own beyond `min`. `is_tied_up`: all its own are in the middle of a long message.
    """

    group: str
    depth: int
    live: int
    desired_size: int
    min: int
    max: int
    queues: tuple[str, ...] = ()
    standing_in: int = 0
    is_tied_up: bool = False

    @property
    def deserved(self) -> int:
        """How many consumers of its own its messages deserve."""
        return max(self.min, desired(self.depth, self.desired_size, self.min, self.max) - self.standing_in)

    @property
    def wanted(self) -> int:
        """How many it should have now: one more where all its own are tied up while messages wait."""
        if not self.depth or not self.is_tied_up or self.standing_in:
            return self.deserved
        return min(self.max, max(self.deserved, self.live + 1))


def desired(depth: int, desired_size: int, least: int, most: int) -> int:
    """Return how many consumers `depth` ready messages deserve: one per `desired_size`, within bounds.

    The formula is Contao's autoscale: `max(min, min(max, ceil(depth / desired_size)))`.
    """
    return max(least, min(most, -(-depth // desired_size)))


def fitting(most_mb: int | None, used_mb: float, live: int) -> int:
    """Return how many consumers fit into the account's memory, if more of them are as large as those that live.

    One always does: a bound that is too small must slow the work down, not stop it.
    """
    if most_mb is None or not live or not used_mb:
        return 1_000_000
    return max(1, live + int((most_mb - used_mb) // (used_mb / live)))


def missing(demands: Sequence[Demand], max_processes: int) -> dict[str, int]:
    """Return how many consumers to start per group, so that no more than `max_processes` live in all.

    First every group gets up to its `min`, then the rest is dealt in the order of the groups, which is their priority.
    Who is started for a group will stand in for those after it whose queues it serves.
    """
    free = max(0, max_processes - sum(demand.live for demand in demands))
    starts = dict.fromkeys((demand.group for demand in demands), 0)
    for target in (_least, _wanted):
        for demand in demands:
            standing_in = sum(starts[other.group] for other in demands if _stands_in(other, demand))
            wanted = target(demand, standing_in) - demand.live - starts[demand.group]
            granted = max(0, min(free, wanted))
            starts[demand.group] += granted
            free -= granted
    return starts


def _least(demand: Demand, standing_in: int) -> int:
    return demand.min


def _wanted(demand: Demand, standing_in: int) -> int:
    return demand._replace(standing_in=demand.standing_in + standing_in).wanted


def _stands_in(other: Demand, demand: Demand) -> bool:
    return bool(demand.queues) and other.group != demand.group and set(demand.queues) <= set(other.queues)

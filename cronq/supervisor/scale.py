"""How many consumers a group should have, and who gets the account's few processes. Pure."""

from __future__ import annotations

from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Demand(NamedTuple):
    """What is known of one group when it is scaled: its bounds, its live consumers, its ready messages."""

    group: str
    depth: int
    live: int
    desired_size: int
    min: int
    max: int


def desired(depth: int, desired_size: int, least: int, most: int) -> int:
    """Return how many consumers `depth` ready messages deserve: one per `desired_size`, within bounds.

    The formula is Contao's autoscale: `max(min, min(max, ceil(depth / desired_size)))`.
    """
    return max(least, min(most, -(-depth // desired_size)))


def missing(demands: Sequence[Demand], max_processes: int) -> dict[str, int]:
    """Return how many consumers to start per group, so that no more than `max_processes` live in all.

    First every group gets up to its `min`, then the rest is dealt in the order of the groups, which is their priority.
    """
    free = max(0, max_processes - sum(demand.live for demand in demands))
    starts = dict.fromkeys((demand.group for demand in demands), 0)
    for target in (_least, _wanted):
        for demand in demands:
            wanted = target(demand) - demand.live - starts[demand.group]
            granted = max(0, min(free, wanted))
            starts[demand.group] += granted
            free -= granted
    return starts


def _least(demand: Demand) -> int:
    return demand.min


def _wanted(demand: Demand) -> int:
    return desired(demand.depth, demand.desired_size, demand.min, demand.max)

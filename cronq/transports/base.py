"""The whole that a transport for everything has, and what those have in common.

Its parts are in `cronq.transports.abilities`; the contract tests in `tests/transports` say the same in code.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from cronq.messages.message import QueueCounts, Record, State
    from cronq.transports.abilities.barriers import Barriers
    from cronq.transports.abilities.controls import Controls
    from cronq.transports.abilities.queues import Queues
    from cronq.transports.abilities.search import Search
    from cronq.transports.abilities.stored_schedules import StoredSchedules
    from cronq.transports.abilities.upkeep import Upkeep

    class Abilities(Queues, Upkeep, Search, Controls, Barriers, StoredSchedules, Protocol):
        """What nobody has to ask a transport for."""

else:  # the tick pays for each file that it opens, and these are for type checkers and for `demanded`
    Abilities = object


def do_nothing(absorbed: Mapping[str, str]) -> None:
    """Nobody is to be told."""


class Transport(Abilities):
    """A place that keeps queues. Every method is one transaction; times are wall seconds from the transport's clock.

    Copies and shared transactions are not part of it: see `demanded`.
    """

    def has(self, ability: type) -> bool:
        return isinstance(self, ability)

    def glance(self) -> list[QueueCounts]:
        return self.counts()

    def browse(self, state: State, queue: str | None = None, at_most: int = 50) -> list[Record]:
        from cronq.transports.selection import Selection

        return self.select(Selection(state, queue, at_most=at_most))

    def is_busy(self) -> bool:
        return True

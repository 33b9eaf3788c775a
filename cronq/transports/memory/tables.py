"""All that the transport in memory keeps. Whoever calls holds its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.message import State
from cronq.transports.memory.schedule_rows import MemorySchedules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.messages.rate import Meter
    from cronq.transports.memory.rows import Row


class Tables:
    """Messages by id, what is paused, the meters of rates, and schedules."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.paused: set[str] = set()
        """Queues, and tasks as `reasons.paused_task` names them."""
        self.meters: dict[str, Meter] = {}
        self.schedules: MemorySchedules = MemorySchedules(self._state_of)

    def put(self, row: Row) -> None:
        """Keep a row in place of the one that its message had before."""
        self.rows[row.message.id] = row

    def where(self, wanted: Callable[[Row], bool]) -> list[Row]:
        """Return the rows that are wanted, in the order in which they came."""
        return [row for row in self.rows.values() if wanted(row)]

    def held_by(self, holder: str) -> list[Row]:
        return self.where(lambda row: row.state is State.RESERVED and row.holder == holder)

    def count_running(self, key: str) -> int:
        """Count the reserved messages with a running key."""
        return len(self.where(lambda row: row.state is State.RESERVED and row.message.running_key == key))

    def unpaused(self, queues: Sequence[str]) -> list[str]:
        return [queue for queue in queues if queue not in self.paused]

    def _state_of(self, message_id: str) -> State | None:
        row = self.rows.get(message_id)
        return None if row is None else row.state

"""How full the queues in memory are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.ids import enqueued_at
from cronq.messages.message import QueueCounts, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.transports.memory.rows import Row
    from cronq.transports.memory.tables import Tables


def count(tables: Tables, now: float) -> list[QueueCounts]:
    """Return how full every queue is that holds anything, or is paused."""
    paused = {name for name in tables.paused if ":" not in name}
    rows: dict[str, list[Row]] = {name: [] for name in paused}
    for row in tables.rows.values():
        rows.setdefault(row.message.queue, []).append(row)
    return [_count(name, rows[name], name in paused, now) for name in sorted(rows)]


def _count(queue: str, rows: Sequence[Row], paused: bool, now: float) -> QueueCounts:
    states = [
        State.READY if row.state is State.DELAYED and row.message.available_at <= now else row.state for row in rows
    ]
    waiting_since = [
        row.message.available_at or enqueued_at(row.message.id)
        for row, state in zip(rows, states, strict=True)
        if state is State.READY
    ]
    return QueueCounts(
        queue,
        ready=states.count(State.READY),
        delayed=states.count(State.DELAYED),
        reserved=states.count(State.RESERVED),
        failed=states.count(State.FAILED),
        done=states.count(State.DONE),
        blocked=states.count(State.BLOCKED),
        oldest_at=min(waiting_since, default=None),
        paused=paused,
    )

"""What the transport in memory knows of one message."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cronq.messages import reasons
from cronq.messages.attempts import appended, failed_attempt, read
from cronq.messages.message import Fail, Message, Record, Release, State


@dataclass(frozen=True, slots=True)
class Row:
    """A message with its state. `until`: of a reservation; of a done part, when it goes if no callback needs it."""

    message: Message
    state: State
    holder: str | None = None
    until: float = 0.0
    error: str | None = None
    result: bytes | None = None
    finished_at: float | None = None
    keep_until: float | None = None
    error_class: str | None = None
    history: str | None = None
    blocked_by: str | None = None

    @property
    def order(self) -> tuple[int, str]:
        """Where it stands among the ready ones of its queue."""
        return (-self.message.priority, self.message.id)


def waiting(row: Row, now: float, blocked_by: str | None = None) -> Row:
    """Return the row of a message that waits for its time, or for a consumer. `blocked_by` labels a gathering one."""
    state = State.DELAYED if row.message.available_at > now else State.READY
    return replace(row, state=state, holder=None, blocked_by=blocked_by)


def is_held_by_rate(row: Row) -> bool:
    """Tell whether the message waits for a rate."""
    return row.state is State.BLOCKED and (row.blocked_by or "").startswith(reasons.RATE)


def rate_name(row: Row) -> str:
    """Return the name of the rate that a message waits for."""
    return (row.blocked_by or "").removeprefix(reasons.RATE)


def remembering(row: Row, outcome: Release | Fail, now: float) -> Row:
    """Return the row with a failed attempt in its history."""
    attempt = failed_attempt(outcome.message.attempt, outcome.error or "", outcome.cause, row.holder or "", now)
    history = appended(row.history, attempt)
    return replace(row, error=outcome.error, error_class=attempt.error_class, history=history)


def record(row: Row) -> Record:
    """Return the row as people see it."""
    return Record(
        row.message,
        row.state,
        row.holder,
        row.error,
        row.result,
        row.finished_at,
        row.keep_until,
        row.error_class,
        read(row.history),
        row.blocked_by,
    )

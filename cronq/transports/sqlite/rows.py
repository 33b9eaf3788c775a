"""Rows of the file as the values the rest of cronq knows."""

from __future__ import annotations

from cronq.messages.attempts import read
from cronq.messages.message import Message, Record, State
from cronq.transports.sqlite.statements import STORED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


def state_at(available_at: float, now: float) -> State:
    """Return the state of a message that waits for nothing but its time."""
    return State.DELAYED if available_at > now else State.READY


def key_of(message_id: str) -> bytearray:
    """Return an id as the file has it; for a text that is no id, one that no message has.

    No `bytes`: for those, as for None, Python's sqlite3 looks for an adapter in vain, 0.3 us for each value.
    """
    try:
        return bytearray.fromhex(message_id)
    except ValueError:
        return bytearray()


def message_of(row: Sequence[Any]) -> Message:
    """Return the message of a row that begins with its columns."""
    return Message(row[0].hex(), *row[1:STORED])


def record_of(row: Sequence[Any]) -> Record:
    """Return everything known of a message."""
    state, *known, history, blocked_by = row[STORED:]
    return Record(message_of(row), State(state), *known)._replace(attempts=read(history), blocked_by=blocked_by)

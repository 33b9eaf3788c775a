"""Selections as SQL: what `cronq failed` and `cronq messages` look through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.message import State
from cronq.transports.selection import place
from cronq.transports.sqlite.statements import BLOCKED, RECORD

if TYPE_CHECKING:
    from cronq.transports.selection import Selection

# Each as `selection.place` has it, and as that state's partial index has it, so that nothing is sorted
# (save reserved messages, which are few).
_ORDERS = {
    State.READY: "queue, priority DESC, id",
    State.DELAYED: "queue, available_at, id",
    State.BLOCKED: "blocked_by, queue, state, priority DESC, id",
    State.RESERVED: "+id",
    State.FAILED: "finished_at, id",
    State.DONE: "keep_until, id",
}
_PLACES = {**_ORDERS, State.READY: "queue, -priority, id", State.BLOCKED: "blocked_by, queue, -priority, id"}
_SINCE = {State.FAILED: "finished_at", State.DONE: "finished_at"}


def select(selection: Selection) -> tuple[str, list[object]]:
    """Return the statement that finds a selection, and its values.

    The state stands in the text, or SQLite would not use its index.
    """
    state = selection.state
    filters: list[tuple[str, object]] = [
        ("queue = ?", selection.queue),
        ("task = ?", selection.task),
        ("error_class = ?", selection.error_class),
        (f"{_SINCE.get(state, 'available_at')} <= ?", selection.until),
    ]
    given = [(text, value) for text, value in filters if value is not None]
    wanted, values = [text for text, _ in given], [value for _, value in given]
    if selection.after is not None:
        *first, last_id = place(selection.after)
        wanted.append(f"({_PLACES[state]}) > ({', '.join('?' * (len(first) + 1))})")
        values += [*first, bytes.fromhex(str(last_id))]
    in_state = BLOCKED if state is State.BLOCKED else f"state = '{state}'"
    conditions = " AND ".join([in_state, *wanted])
    statement = f"SELECT {RECORD} FROM messages WHERE {conditions} ORDER BY {_ORDERS[state]} LIMIT ?"  # noqa: S608
    return statement, [*values, selection.at_most]

"""Selections as SQL: what `cronq failed` and `cronq messages` look through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.ids import DIGITS
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
    """Return the statement that finds a selection, and its values."""
    conditions, values = _conditions(selection)
    order = _ORDERS[selection.state]
    statement = f"SELECT {RECORD} FROM messages WHERE {conditions} ORDER BY {order} LIMIT ?"  # noqa: S608
    return statement, [*values, selection.at_most]


def statistics(selection: Selection) -> tuple[str, list[object]]:
    """Return the statement that counts a selection, and its values."""
    conditions, values = _conditions(selection)
    since, order = _since(selection.state), _ORDERS[selection.state]
    facts = f"queue, task, error_class, {since} AS at"
    rows = f"SELECT {facts} FROM messages WHERE {conditions} ORDER BY {order} LIMIT ?"  # noqa: S608
    statement = f"SELECT queue, task, error_class, count(*), max(at) FROM ({rows}) GROUP BY 1, 2, 3"  # noqa: S608
    return statement, [*values, selection.at_most]


def starting_with(digits: str, at_most: int) -> tuple[str, list[object]]:
    """Return the statement that finds ids by their first digits, and its values: two bounds in the index of ids."""
    try:
        bounds = [bytes.fromhex(digits.replace(" ", "-").ljust(DIGITS, filling)) for filling in "0f"]
    except ValueError:  # a blank among them, too, which fromhex would skip
        return "SELECT id FROM messages LIMIT 0", []
    return "SELECT id FROM messages WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?", [*bounds, at_most]


def _conditions(selection: Selection) -> tuple[str, list[object]]:
    """The state stands in the text, or SQLite would not use its index."""
    state = selection.state
    filters: list[tuple[str, object]] = [
        ("queue = ?", selection.queue),
        ("task = ?", selection.task),
        ("error_class = ?", selection.error_class),
        (f"{_since(state)} <= ?", selection.until),
    ]
    given = [(text, value) for text, value in filters if value is not None]
    wanted, values = [text for text, _ in given], [value for _, value in given]
    if selection.after is not None:
        *first, last_id = place(selection.after)
        wanted.append(f"({_PLACES[state]}) > ({', '.join('?' * (len(first) + 1))})")
        values += [*first, bytes.fromhex(str(last_id))]
    in_state = BLOCKED if state is State.BLOCKED else f"state = '{state}'"
    return " AND ".join([in_state, *wanted]), values


def _since(state: State) -> str:
    return _SINCE.get(state, "available_at")

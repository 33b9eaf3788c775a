"""What frees blocked messages: an ending, a removal, resuming a task, a look at what nothing has freed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronq.messages import reasons
from cronq.messages.message import Message, State
from cronq.transports.memory.rows import waiting
from cronq.transports.term_rules import is_left

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cronq.transports.memory.tables import Tables


def after(tables: Tables, gone: Collection[Message], now: float) -> None:
    """Free what waited for messages that have ended, or were removed. One with a `waits_for` is gone for good."""
    for group_id in {one.group_id for one in gone if one.group_id is not None}:
        _free_callbacks(tables, group_id, now)
    for group_id in {one.waits_for for one in gone if one.waits_for is not None}:
        _give_up_parts(tables, group_id)
    make_room(tables, [one.running_key for one in gone if one.running_key is not None], now)


def make_room(tables: Tables, keys: Sequence[str], now: float) -> None:
    """Free the next of each running key: one for each that has gone."""
    for key in dict.fromkeys(keys):
        _free_running(tables, key, now, at_most=keys.count(key))


def free(tables: Tables, blocked_by: str, now: float) -> None:
    """Free all that wait for one thing."""
    for row in tables.where(lambda row: row.state is State.BLOCKED and row.blocked_by == blocked_by):
        tables.put(waiting(row, now))


def sweep(tables: Tables, now: float) -> None:
    """Free what is blocked for a reason that is gone."""
    for by in {row.blocked_by or "" for row in tables.where(lambda row: row.state is State.BLOCKED)}:
        kind, _, what = by.partition(":")
        if kind == "running":
            _free_running(tables, what, now)
        elif kind == "group":
            _free_callbacks(tables, what, now)
        elif (kind == "task" and by not in tables.paused) or (kind == "rate" and what not in tables.meters):
            free(tables, by, now)


def is_open(tables: Tables, group_id: str) -> bool:
    """Tell whether a part of a group is still to be done."""
    return any(row.message.group_id == group_id and is_left(row.state) for row in tables.rows.values())


def _free_callbacks(tables: Tables, group_id: str, now: float) -> None:
    if not is_open(tables, group_id):
        free(tables, reasons.group(group_id), now)


def _give_up_parts(tables: Tables, group_id: str) -> None:
    """Let the kept parts of a group go when they would have gone without a callback."""
    for row in tables.where(lambda row: row.message.group_id == group_id and row.state is State.DONE):
        tables.put(replace(row, keep_until=row.until))


def _free_running(tables: Tables, key: str, now: float, at_most: int | None = None) -> None:
    """Free the next of each queue that wait for others with their running key, as many as there is room for."""
    busy = tables.count_running(key)
    blocked = sorted(tables.where(lambda row: row.blocked_by == reasons.running(key)), key=lambda row: row.order)
    for queue in {row.message.queue for row in blocked}:
        found = [row for row in blocked if row.message.queue == queue]
        room = max(0, found[0].message.max_running - busy)
        for row in found[: room if at_most is None else min(room, at_most)]:
            tables.put(waiting(row, now))

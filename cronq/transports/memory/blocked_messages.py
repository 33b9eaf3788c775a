"""The terms of messages in memory: unique keys, groups, running keys, batches, and what frees a blocked one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronq.messages import reasons
from cronq.messages.ids import enqueued_at
from cronq.messages.message import Message, State
from cronq.transports.memory.rows import waiting
from cronq.transports.term_rules import KEPT_FOR_GROUP_S, WAITING, absorbs, goes_on, is_left, own_keep_until, replaced

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cronq.messages.message import Ack
    from cronq.messages.rate import Meter
    from cronq.transports.memory.rows import Row, Rows


def enqueue(rows: Rows, messages: Iterable[Message], now: float) -> dict[str, str]:
    """Put messages into `rows`; return which were absorbed by which."""
    from cronq.transports.memory.rows import Row

    absorbed: dict[str, str] = {}
    new: list[Message] = []
    for message in messages:
        standing = _standing(rows, message, now)
        if standing is None:
            rows[message.id] = waiting(Row(message._replace(replaces=0.0), State.READY), now, _label(message))
            new.append(message)
            continue
        absorbed[message.id] = standing.message.id
        if message.replaces and standing.state in WAITING:
            bound = enqueued_at(standing.message.id) + message.replaces
            changed = replace(standing, message=replaced(standing.message, message, bound))
            if not (standing.blocked_by or "").startswith(reasons.GROUP):
                changed = waiting(changed, now, _label(message))
            rows[standing.message.id] = changed
            new.append(changed.message)
    for message in new:
        if message.waits_for is not None and _is_open(rows, message.waits_for):
            by = reasons.group(message.waits_for)
            rows[message.id] = replace(rows[message.id], state=State.BLOCKED, blocked_by=by)
    for queue, task, size in {(one.queue, one.task, one.gather) for one in new if one.gather}:
        _fill(rows, reasons.batch(queue, task), size)
    return absorbed


def _standing(rows: Rows, message: Message, now: float) -> Row | None:
    """Return the message that absorbs this one: a waiting one rather than a running one, the oldest."""
    if message.unique_key is None:
        return None
    found = [
        row
        for row in rows.values()
        if row.message.unique_key == message.unique_key and absorbs(row.state, row.message.unique_until, now)
    ]
    rank = {State.RESERVED: 1, State.FAILED: 2, State.DONE: 2}
    return min(found, key=lambda row: (rank.get(row.state, 0), row.message.id), default=None)


def _label(message: Message) -> str | None:
    return reasons.batch(message.queue, message.task) if message.gather else None


def _fill(rows: Rows, label: str, size: int) -> None:
    """Make ready as many whole batches as have gathered."""
    delayed = (row for row in rows.values() if row.state is State.DELAYED and row.blocked_by == label)
    found = sorted(delayed, key=lambda row: row.order)
    for row in found[: len(found) // size * size]:
        rows[row.message.id] = replace(row, state=State.READY)


def gathered(rows: Rows, leader: Message) -> list[Row]:
    """Return the others that can be run in one call with `leader`, the next to run first."""
    label = _label(leader)
    found = (
        row for row in rows.values() if row.blocked_by == label and row.state in WAITING and row.message.id != leader.id
    )
    return sorted(found, key=lambda row: row.order)[: leader.gather - 1]


def keep_until(rows: Rows, ack: Ack, now: float) -> tuple[float, float] | None:
    """Return until when an acked message is kept, and until when it would be if no callback needed it; None: not."""
    own = own_keep_until(ack, now)
    if ack.message.group_id is not None and _is_needed(rows, ack):
        return now + KEPT_FOR_GROUP_S, own or now
    return None if own is None else (own, own)


def _is_needed(rows: Rows, ack: Ack) -> bool:
    by = reasons.group(ack.message.group_id or "")
    return not goes_on(ack) and any(row.blocked_by == by for row in rows.values())


def after(rows: Rows, gone: Collection[Message], now: float) -> None:
    """Free what waited for messages that have ended, or were removed. One with a `waits_for` is gone for good."""
    for group_id in {one.group_id for one in gone if one.group_id is not None}:
        _free_callbacks(rows, group_id, now)
    for group_id in {one.waits_for for one in gone if one.waits_for is not None}:
        _give_up_parts(rows, group_id)
    make_room(rows, [one.running_key for one in gone if one.running_key is not None], now)


def make_room(rows: Rows, keys: Sequence[str], now: float) -> None:
    """Free the next of each running key: one for each that has gone."""
    for key in dict.fromkeys(keys):
        free_running(rows, key, now, at_most=keys.count(key))


def _is_open(rows: Rows, group_id: str) -> bool:
    return any(row.message.group_id == group_id and is_left(row.state) for row in rows.values())


def _free_callbacks(rows: Rows, group_id: str, now: float) -> None:
    if not _is_open(rows, group_id):
        free(rows, reasons.group(group_id), now)


def _give_up_parts(rows: Rows, group_id: str) -> None:
    """Let the kept parts of a group go when they would have gone without a callback."""
    for row in list(rows.values()):
        if row.message.group_id == group_id and row.state is State.DONE:
            rows[row.message.id] = replace(row, keep_until=row.until)


def free_running(rows: Rows, key: str, now: float, at_most: int | None = None) -> None:
    """Free the next of each queue that wait for others with their running key, as many as there is room for."""
    busy = sum(row.state is State.RESERVED and row.message.running_key == key for row in rows.values())
    by = reasons.running(key)
    for queue in {row.message.queue for row in rows.values() if row.blocked_by == by}:
        found = sorted(
            (row for row in rows.values() if row.blocked_by == by and row.message.queue == queue),
            key=lambda row: row.order,
        )
        room = max(0, found[0].message.max_running - busy)
        for row in found[: room if at_most is None else min(room, at_most)]:
            rows[row.message.id] = waiting(row, now)


def free(rows: Rows, blocked_by: str, now: float) -> None:
    """Free all that wait for one thing."""
    for row in list(rows.values()):
        if row.state is State.BLOCKED and row.blocked_by == blocked_by:
            rows[row.message.id] = waiting(row, now)


def sweep(rows: Rows, paused: Collection[str], meters: Mapping[str, Meter], now: float) -> None:
    """Free what is blocked for a reason that is gone."""
    for by in {row.blocked_by or "" for row in rows.values() if row.state is State.BLOCKED}:
        kind, _, what = by.partition(":")
        if kind == "running":
            free_running(rows, what, now)
        elif kind == "group":
            _free_callbacks(rows, what, now)
        elif (kind == "task" and by not in paused) or (kind == "rate" and what not in meters):
            free(rows, by, now)

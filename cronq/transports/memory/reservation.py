"""Taking the next messages."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cronq.messages.message import WAITING, State
from cronq.transports.gate import Candidate, Gate, Known, sift
from cronq.transports.memory.blocked_messages import make_room
from cronq.transports.memory.insertion import label_of
from cronq.transports.memory.rows import is_held_by_rate, rate_name
from cronq.transports.term_rules import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cronq.messages.message import Message
    from cronq.messages.rate import Rate
    from cronq.transports.exchange import Those, Want
    from cronq.transports.memory.rows import Row
    from cronq.transports.memory.tables import Tables


def depth(tables: Tables, those: Those, at_most: int, now: float, rates: Mapping[str, Rate] | None = None) -> int:
    """Count what may be reserved, no further than `at_most`; under the rates as stored unless others are given."""
    unpaused = tables.unpaused(those.queues)
    found = sum(_counts(row, those) for queue in unpaused for row in _ready(tables, queue, now))
    for name in _waiting_rates(tables):
        held = [row for row in _held_of(tables, unpaused, those) if rate_name(row) == name]
        found += min(len(held), allowed(tables.meters[name], name, rates, now))
    return min(at_most, found)


def next_at(tables: Tables, those: Those, now: float) -> float | None:
    """Return when the next message may be reserved that waits for its time, or for a rate."""
    unpaused = tables.unpaused(those.queues)
    delayed = tables.where(
        lambda row: row.state is State.DELAYED and row.message.queue in unpaused and _counts(row, those)
    )
    held = {rate_name(row) for row in _held_of(tables, unpaused, those)}
    times = [row.message.available_at for row in delayed]
    return min([*times, *(tables.meters[name].next_at(now) for name in held)], default=None)


def reserve(tables: Tables, holder: str, want: Want, now: float) -> tuple[list[Message], bool]:
    """Take the next messages that may run, and block those met before them that may not; tell of more."""
    gate = Gate(tables.paused, want.rates, Known(tables.count_running, tables.meters.get), now)
    for name in _waiting_rates(tables):
        gate.room(name)
    taken: list[Message] = []
    passed_by: list[str] = []
    wanted, more = want.limit, False
    for candidates in _candidates(tables, want, gate, now):
        sifted = sift(candidates, wanted - len(taken), gate, partial(_gathered, tables), bool(taken))
        for message, why in sifted.refused:
            tables.put(replace(tables.rows[message.id], state=State.BLOCKED, blocked_by=why))
        taken += sifted.taken
        passed_by += sifted.passed_by
        wanted = len(taken) if sifted.is_batch else wanted
        more = any(gate.may_pass(one) for one in sifted.left)
        if more:
            break
    reserved = _take(tables, holder, want, taken)
    tables.meters |= gate.meters
    make_room(tables, passed_by, now)
    return reserved, more


def _ready(tables: Tables, queue: str, now: float) -> list[Row]:
    """Return the rows of a queue that are ready, or whose time has come."""
    return tables.where(
        lambda row: (
            row.message.queue == queue
            and (row.state is State.READY or (row.state is State.DELAYED and row.message.available_at <= now))
        )
    )


def _waiting_rates(tables: Tables) -> list[str]:
    return sorted({rate_name(row) for row in tables.where(is_held_by_rate)})


def _held_by_rates(tables: Tables, queue: str) -> list[Row]:
    return tables.where(lambda row: is_held_by_rate(row) and row.message.queue == queue)


def _held_of(tables: Tables, unpaused: Sequence[str], those: Those) -> list[Row]:
    return [row for queue in unpaused for row in _held_by_rates(tables, queue) if _counts(row, those)]


def _counts(row: Row, those: Those) -> bool:
    return row.message.task not in those.without_tasks


def _candidates(tables: Tables, want: Want, gate: Gate, now: float) -> Iterator[list[Candidate]]:
    """Return what may be reserved from each queue, the next to run first."""
    for queue in tables.unpaused(want.queues):
        ready = _ready(tables, queue, now)
        for row in ready:
            tables.put(replace(row, state=State.READY))
        rows = ready + [row for row in _held_by_rates(tables, queue) if gate.room(rate_name(row))]
        yield [
            Candidate(row.message, row.blocked_by if row.state is State.BLOCKED else None)
            for row in sorted(rows, key=lambda row: row.order)
            if row.message.task not in want.without_tasks
        ]


def _gathered(tables: Tables, leader: Message) -> list[Message]:
    """Return the others that can be run in one call with `leader`, the next to run first."""
    label = label_of(leader)
    found = tables.where(lambda row: row.blocked_by == label and row.state in WAITING and row.message.id != leader.id)
    return [row.message for row in sorted(found, key=lambda row: row.order)[: leader.gather - 1]]


def _take(tables: Tables, holder: str, want: Want, messages: Sequence[Message]) -> list[Message]:
    taken = [message.reserved(position) for position, message in enumerate(messages, want.position)]
    for message in taken:
        row = replace(tables.rows[message.id], message=message, blocked_by=None)
        tables.put(replace(row, state=State.RESERVED, holder=holder, until=want.until))
    return taken

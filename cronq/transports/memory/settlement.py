"""Writing down how attempts ended, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cronq.messages import reasons
from cronq.messages.message import Ack, Continue, Fail, Message, Outcome, Release, State
from cronq.transports.memory.blocked_messages import after
from cronq.transports.memory.insertion import label_of
from cronq.transports.memory.rows import Row, remembering, waiting
from cronq.transports.term_rules import KEPT_FOR_GROUP_S, goes_on, own_keep_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.transports.memory.tables import Tables


def settle(
    tables: Tables,
    holder: str,
    outcomes: Sequence[Outcome],
    now: float,
    enqueue: Callable[[Sequence[Message]], object],
) -> list[str]:
    """Write outcomes down; return the ids of those that came too late."""
    lost, gone = [], []
    for outcome in outcomes:
        row = _reserved(tables, holder, outcome.message)
        if row is None:
            lost.append(outcome.message.id)
            continue
        _end(tables, row, outcome, now)
        tables.schedules.end(outcome, now)
        message = outcome.message
        gone.append(message if isinstance(outcome, Ack) else message._replace(waits_for=None))
        if not isinstance(outcome, Release) and outcome.then:
            enqueue(outcome.then)
    after(tables, gone, now)
    return lost


def put_back(tables: Tables, row: Row, now: float) -> None:
    """Have a message wait again: for its time, or for a consumer."""
    tables.put(waiting(row, now, label_of(row.message)))


def _reserved(tables: Tables, holder: str, message: Message) -> Row | None:
    """Return the row of a message, None when this reservation of it is no longer the holder's."""
    row = tables.rows.get(message.id)
    if row is None or (row.state, row.holder) != (State.RESERVED, holder):
        return None
    return row if row.message.position == message.position else None


def _end(tables: Tables, row: Row, outcome: Outcome, now: float) -> None:
    match outcome:
        case Ack():
            _ack(tables, row, outcome, now)
        case Release():
            _release(tables, row, outcome, now)
        case Continue(_, cursor, delay_s):
            message = row.message._replace(available_at=now + delay_s if delay_s else 0.0, attempt=0, cursor=cursor)
            put_back(tables, replace(row, message=message, error=None, error_class=None, history=None), now)
        case Fail():
            message = row.message._replace(gather=0)
            failed = replace(remembering(row, outcome, now), message=message, finished_at=now)
            tables.put(replace(failed, state=State.FAILED, holder=None))


def _ack(tables: Tables, row: Row, ack: Ack, now: float) -> None:
    kept = _keep_until(tables, ack, now)
    if kept is None:
        del tables.rows[row.message.id]
        return
    done = replace(row, error=None, error_class=None, result=ack.result, finished_at=now)
    tables.put(replace(done, state=State.DONE, holder=None, keep_until=kept[0], until=kept[1]))


def _keep_until(tables: Tables, ack: Ack, now: float) -> tuple[float, float] | None:
    """Return until when an acked message is kept, and until when it would be if no callback needed it; None: not."""
    own = own_keep_until(ack, now)
    if ack.message.group_id is not None and _is_needed(tables, ack):
        return now + KEPT_FOR_GROUP_S, own or now
    return None if own is None else (own, own)


def _is_needed(tables: Tables, ack: Ack) -> bool:
    by = reasons.group(ack.message.group_id or "")
    return not goes_on(ack) and any(row.blocked_by == by for row in tables.rows.values())


def _release(tables: Tables, row: Row, release: Release, now: float) -> None:
    if release.error is not None:
        row = remembering(row, release, now)
    message = row.message._replace(
        available_at=now + release.delay_s if release.delay_s else min(now, row.message.available_at),
        attempt=row.message.attempt - release.uncounted,
        gather=row.message.gather if release.uncounted else 0,
    )
    put_back(tables, replace(row, message=message), now)

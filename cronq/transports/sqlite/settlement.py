"""Writing down how attempts ended, and what follows from it. Inside the caller's transaction."""

from __future__ import annotations

from math import inf

from cronq.messages import reasons
from cronq.messages.attempts import appended, failed_attempt
from cronq.messages.message import Ack, Continue, Fail, Outcome, Release
from cronq.transports.sqlite import schedule_rows
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.blocked_messages import NO_TIES, after, ties_of
from cronq.transports.sqlite.insertion import enqueue, label_of
from cronq.transports.sqlite.rows import key_of, message_of, state_at
from cronq.transports.verdict import Rescued, verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from cronq.transports.exchange import Evidence


def settle(connection: sqlite3.Connection, holder: str, outcomes: Sequence[Outcome], now: float) -> list[str]:
    """Write outcomes down; return the ids of those that came too late."""
    for outcome in outcomes:
        if isinstance(outcome, Release | Fail) and outcome.error is not None:
            _remember(connection, outcome, holder, now)
    lost, gone = [], []
    for outcome in outcomes:
        if connection.execute(*_ending(connection, outcome, holder, now)).rowcount == 0:
            lost.append(outcome.message.id)
            continue
        if outcome.message.headers:
            schedule_rows.end(connection, outcome, now)
        ties = ties_of(outcome.message)
        if ties != NO_TIES:
            gone.append(ties if isinstance(outcome, Ack) else (*ties[:2], None))
        if not isinstance(outcome, Release) and outcome.then:
            enqueue(connection, outcome.then, now)
    if gone:
        after(connection, gone, now)
    return lost


def rescue(connection: sqlite3.Connection, holder: str, evidence: Evidence, now: float) -> Rescued:
    """Take back what a dead holder had reserved, each message by its verdict."""
    rows = connection.execute(sql.HELD_BY, (holder,)).fetchall()
    verdicts = [verdict(message_of(row), evidence) for row in rows]
    settle(connection, holder, verdicts, now)
    return Rescued.by(verdicts)


def _ending(
    connection: sqlite3.Connection, outcome: Outcome, holder: str, now: float
) -> tuple[str, tuple[object, ...]]:
    """Return the statement that writes an outcome down, with its values."""
    message = outcome.message
    ours = (key_of(message.id), message.position, holder)
    match outcome:
        case Ack():
            kept = _keep_until(connection, outcome, now)
            return (sql.ACK, ours) if kept is None else (sql.KEEP, (outcome.result, now, *kept, *ours))
        case Release(_, delay_s, _, uncounted):
            available_at = now + delay_s if delay_s else min(now, message.available_at)
            gather, label = (message.gather, label_of(message)) if uncounted else (0, None)
            values = (state_at(available_at, now), available_at, uncounted, gather, label)
            return sql.RELEASE, (*values, *ours)
        case Continue(_, cursor, delay_s):
            available_at = now + delay_s if delay_s else 0.0
            return sql.CONTINUE, (state_at(available_at, now), available_at, cursor, label_of(message), *ours)
        case Fail():
            return sql.FAIL, (now, *ours)


def _keep_until(connection: sqlite3.Connection, ack: Ack, now: float) -> tuple[float, float] | None:
    """Return until when an acked message is kept, and until when it would be if no callback needed it; None: not."""
    message = ack.message
    if not ack.keep_s and message.group_id is None and not 0 < message.unique_until < inf:
        return None
    from cronq.transports.term_rules import KEPT_FOR_GROUP_S, goes_on, own_keep_until

    own = own_keep_until(ack, now)
    in_group = message.group_id is not None and not goes_on(ack)
    if in_group and connection.execute(sql.HAS_BLOCKED, (reasons.group(message.group_id or ""),)).fetchone()[0]:
        return now + KEPT_FOR_GROUP_S, own or now
    return None if own is None else (own, own)


def _remember(connection: sqlite3.Connection, outcome: Release | Fail, holder: str, now: float) -> None:
    """Add a failed attempt to the history of its message, while that is still ours."""
    ours = (key_of(outcome.message.id), outcome.message.position, holder)
    for (history,) in connection.execute(sql.HISTORY, ours).fetchall():
        attempt = failed_attempt(outcome.message.attempt, outcome.error or "", outcome.cause, holder, now)
        known = (outcome.error, attempt.error_class, appended(history, attempt))
        connection.execute(sql.REMEMBER, (*known, *ours))

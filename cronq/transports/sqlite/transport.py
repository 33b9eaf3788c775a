"""Queues in one SQLite file: every write one short transaction, every read one index seek."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.attempts import appended, failed_attempt, read
from cronq.clock import SystemClock
from cronq.message import Ack, Fail, Message, Outcome, QueueCounts, Record, Release, State
from cronq.transports.base import (
    Evidence,
    Exchange,
    Firing,
    Held,
    Rescued,
    StoredSchedule,
    Transport,
    Want,
    redeclared,
    verdict,
)
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.connection import BUSY_TIMEOUT_S, Connections

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from cronq.clock import Clock
    from cronq.transports.selection import Selection


class SqliteTransport(Transport):
    """The queues of one installation in the file at `path`.

    Raises TransportError from every method when the file cannot be used; its text says why and what to do.
    """

    def __init__(
        self,
        path: str,
        durability: str = "full",
        clock: Clock | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._connections = Connections(path, durability, busy_timeout_s)
        self._clock = clock or SystemClock()

    def is_busy(self) -> bool:
        return self._connections.get().in_transaction

    def enqueue(self, messages: Sequence[Message]) -> None:
        now = self._clock.now()
        with self._connections.write() as connection:
            _enqueue(connection, messages, now)

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        if not outcomes and want is not None and not self.depth(want.queues, 1):
            return Exchange([], [], more=False)  # an idle consumer must not take the write lock to learn that
        with self._connections.write() as connection:
            lost = self._settle(connection, holder, outcomes)
            taken, more = self._reserve(connection, holder, want) if want else ([], False)
        return Exchange(taken, lost, more)

    def _settle(self, connection: sqlite3.Connection, holder: str, outcomes: Sequence[Outcome]) -> list[str]:
        now = self._clock.now()
        for outcome in outcomes:
            if not isinstance(outcome, Ack) and outcome.error is not None:
                _remember(connection, outcome, holder, now)
        return [
            outcome.message.id
            for outcome in outcomes
            if connection.execute(*_ending(outcome, holder, now)).rowcount == 0
        ]

    def _reserve(self, connection: sqlite3.Connection, holder: str, want: Want) -> tuple[list[Message], bool]:
        now = self._clock.now()
        rows: list[Any] = []
        ready = sql.ready_without(len(want.without_tasks)) if want.without_tasks else sql.READY
        for queue in _unpaused(connection, want.queues):
            due = connection.execute(sql.DUE, (queue, now)).fetchall()
            if due:
                connection.executemany(sql.MAKE_READY, due)
            rows += connection.execute(ready, (queue, *want.without_tasks, want.limit + 1 - len(rows)))
            if len(rows) > want.limit:
                break
        taken = [
            _message(row)._replace(attempt=row[7] + 1, position=position)
            for position, row in enumerate(rows[: want.limit], want.position)
        ]
        connection.executemany(
            sql.RESERVE,
            [(message.position, holder, want.until, row[0]) for message, row in zip(taken, rows)],  # noqa: B905
        )
        return taken, len(rows) > want.limit

    def held(self) -> list[Held]:
        with self._connections.read() as connection:
            return [Held(*row) for row in connection.execute(sql.HELD)]

    def extend(self, holder: str, until: float) -> int:
        with self._connections.write() as connection:
            return connection.execute(sql.EXTEND, (until, holder)).rowcount

    def rescue(self, holder: str, evidence: Evidence) -> Rescued:
        with self._connections.write() as connection:
            rows = connection.execute(sql.HELD_BY, (holder,)).fetchall()
            verdicts = [verdict(_message(row), evidence) for row in rows]
            self._settle(connection, holder, verdicts)
        return Rescued.by(verdicts)

    def depth(self, queues: Sequence[str], at_most: int) -> int:
        now = self._clock.now()
        found = 0
        with self._connections.read() as connection:
            for queue in _unpaused(connection, queues):
                found += connection.execute(sql.DEPTH, (queue, at_most - found)).fetchone()[0]
                found += connection.execute(sql.DEPTH_DUE, (queue, now, at_most - found)).fetchone()[0]
                if found >= at_most:
                    break
        return found

    def next_at(self, queues: Sequence[str]) -> float | None:
        with self._connections.read() as connection:
            times = [connection.execute(sql.NEXT_AT, (queue,)).fetchone()[0] for queue in _unpaused(connection, queues)]
        return min((time for time in times if time is not None), default=None)

    def counts(self) -> list[QueueCounts]:
        from cronq.transports.sqlite.counting import count

        with self._connections.read() as connection:
            return count(connection, self._clock.now())

    def find(self, message_id: str) -> Record | None:
        key = _key(message_id)
        with self._connections.read() as connection:
            row = connection.execute(sql.FIND, (key,)).fetchone()
        return None if row is None else _record(row)

    def select(self, selection: Selection) -> list[Record]:
        from cronq.transports.sqlite.selecting import select

        with self._connections.read() as connection:
            return [_record(row) for row in connection.execute(*select(selection))]

    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        now = self._clock.now()
        first = now if first_at is None else first_at
        times = [first + number * every_s for number in range(len(message_ids))]
        rows = [(_state_at(at, now), at, _key(one)) for at, one in zip(times, message_ids, strict=True)]
        return self._write_each(sql.REVIVE, rows)

    def amend(self, message_id: str, body: bytes) -> bool:
        return self._write_each(sql.AMEND, [(body, _key(message_id))]) == 1

    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        if only is None:
            return self._write_each(sql.REMOVE, [(_key(one),) for one in message_ids])
        return self._write_each(sql.REMOVE_ONLY, [(_key(one), only) for one in message_ids])

    def flush(self, queue: str) -> int:
        return self._write_each(sql.FLUSH, [(queue,)])

    def pause(self, queue: str, paused: bool) -> None:
        self._write_each(sql.PAUSE if paused else sql.RESUME, [(queue,)])

    def prune(self, failed_keep_s: float, at_most: int) -> int:
        now = self._clock.now()
        with self._connections.read() as connection:
            if not connection.execute(sql.PRUNABLE, (now - failed_keep_s, now)).fetchone()[0]:
                return 0
        with self._connections.write() as connection:
            failed = connection.execute(sql.PRUNE_FAILED, (now - failed_keep_s, at_most)).rowcount
            return failed + connection.execute(sql.PRUNE_DONE, (now, at_most - failed)).rowcount

    def schedules(self) -> list[StoredSchedule]:
        with self._connections.read() as connection:
            return [StoredSchedule(*row) for row in connection.execute(sql.SCHEDULES)]

    def declare(self, source: str, schedules: Sequence[StoredSchedule]) -> None:
        now = self._clock.now()
        with self._connections.write() as connection:
            before = {row[:2]: StoredSchedule(*row) for row in connection.execute(sql.SCHEDULES).fetchall()}
            connection.execute(sql.FORGET_SCHEDULES, (source,))
            rows = [redeclared(before.get((source, one.name)), one, now) for one in schedules]
            connection.executemany(sql.DECLARE, rows)

    def fire(self, firing: Firing) -> bool:
        now = self._clock.now()
        ours = (firing.schedule.source, firing.schedule.name, firing.schedule.next_at)
        with self._connections.write() as connection:
            if not firing.messages:
                return connection.execute(sql.SKIP, (firing.next_at, *ours)).rowcount == 1
            last = (firing.next_at, now, firing.messages[-1].id)
            if connection.execute(sql.FIRE, (*last, *ours)).rowcount == 0:
                return False
            _enqueue(connection, firing.messages, now)
        return True

    def _write_each(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        with self._connections.write() as connection:
            return connection.executemany(statement, rows).rowcount

    def close(self) -> None:
        self._connections.close()


def _enqueue(connection: sqlite3.Connection, messages: Sequence[Message], now: float) -> None:
    rows = [(bytes.fromhex(message.id), *message[1:], _state_at(message.available_at, now)) for message in messages]
    connection.executemany(sql.ENQUEUE, rows)


def _unpaused(connection: sqlite3.Connection, queues: Sequence[str]) -> Sequence[str]:
    paused = {row[0] for row in connection.execute(sql.PAUSED)}
    return [queue for queue in queues if queue not in paused] if paused else queues


def _ending(outcome: Outcome, holder: str, now: float) -> tuple[str, tuple[object, ...]]:
    """Return the statement that writes an outcome down, with its values."""
    message = outcome.message
    ours = (bytes.fromhex(message.id), message.position, holder)
    match outcome:
        case Ack(_, result, keep_s) if keep_s > 0:
            return sql.KEEP, (result, now, now + keep_s, *ours)
        case Ack():
            return sql.ACK, ours
        case Release(_, delay_s, _, uncounted):
            available_at = now + delay_s if delay_s else message.available_at
            return sql.RELEASE, (_state_at(available_at, now), available_at, uncounted, *ours)
        case Fail():
            return sql.FAIL, (now, *ours)


def _remember(connection: sqlite3.Connection, outcome: Release | Fail, holder: str, now: float) -> None:
    """Add a failed attempt to the history of its message, while that is still ours."""
    ours = (_key(outcome.message.id), outcome.message.position, holder)
    for (history,) in connection.execute(sql.HISTORY, ours).fetchall():
        attempt = failed_attempt(outcome.message.attempt, outcome.error or "", outcome.cause, holder, now)
        known = (outcome.error, attempt.error_class, appended(history, attempt))
        connection.execute(sql.REMEMBER, (*known, *ours))


def _state_at(available_at: float, now: float) -> State:
    return State.DELAYED if available_at > now else State.READY


def _key(message_id: str) -> bytes:
    """Return an id as the file has it; for a text that is no id, one that no message has."""
    try:
        return bytes.fromhex(message_id)
    except ValueError:
        return b""


def _message(row: Sequence[Any]) -> Message:
    return Message(row[0].hex(), *row[1:11])


def _record(row: Sequence[Any]) -> Record:
    *known, history = row[12:]
    return Record(_message(row), State(row[11]), *known)._replace(attempts=read(history))

"""Queues in one SQLite file: every write one short transaction, every read one index seek."""

from __future__ import annotations

from cronq.clock import SystemClock
from cronq.errors import SyncError
from cronq.events import emit
from cronq.messages import reasons
from cronq.schedules.stored import Fired
from cronq.transports.base import Transport, do_nothing
from cronq.transports.exchange import Exchange, Held, Those
from cronq.transports.sqlite import reservation, schedule_rows
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.blocked_messages import FREED_AT_ONCE, after, free, stuck, sweep
from cronq.transports.sqlite.connections import BUSY_TIMEOUT_S, Connections
from cronq.transports.sqlite.insertion import NONE, enqueue, is_plain, plain_row
from cronq.transports.sqlite.reservation import Rules
from cronq.transports.sqlite.rows import key_of, message_of, record_of, state_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from cronq.clock import Clock
    from cronq.host.spool import Mark
    from cronq.messages.message import Message, Outcome, QueueCounts, Record, State
    from cronq.schedules.stored import Firing, StoredSchedule
    from cronq.transports.abilities.copies import Copy
    from cronq.transports.abilities.queues import Shown
    from cronq.transports.exchange import Evidence, Want
    from cronq.transports.selection import Selection, Statistic
    from cronq.transports.verdict import Rescued


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

    def enqueue(self, messages: Sequence[Message], shown: Shown = do_nothing) -> Mapping[str, str]:
        now = self._clock.now()
        if len(messages) == 1 and is_plain(messages[0]):
            opened = self._connections.durable()
            opened.write_at_once(sql.ENQUEUE_PLAIN, plain_row(messages[0], now))  # in the order of Connections.write
            shown(NONE)
            opened.sync()
            return NONE
        with self._connections.write(lambda: shown(absorbed)) as connection:
            absorbed = enqueue(connection, messages, now)
        return absorbed

    def enqueue_in(self, connection: object, messages: Sequence[Message]) -> None:
        from cronq.transports.sqlite.shared_transaction import shared

        with shared(connection, self._connections.path) as theirs:
            absorbed = enqueue(theirs, messages, self._clock.now())
        if absorbed:  # perhaps by what somebody still waits for the disk with, and their commit may write nothing
            self._connections.durable().sync()

    def replayed(self, spool: str) -> Mark | None:
        from cronq.transports.sqlite.spool_rows import replayed

        with self._connections.read() as connection:
            return replayed(connection, spool)

    def replay(
        self, spool: str, before: Mark | None, after: Mark, messages: Sequence[Message], shown: Shown = do_nothing
    ) -> Mapping[str, str] | None:
        from cronq.transports.sqlite.spool_rows import move_on, new_ones

        absorbed: Mapping[str, str] = NONE
        with self._connections.write(lambda: shown(absorbed)) as connection:
            is_ours = move_on(connection, spool, before, after)
            if is_ours:
                absorbed = enqueue(connection, new_ones(connection, messages), self._clock.now())
        return absorbed if is_ours else None

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        if not outcomes and want is not None and not want.is_expected and not self._has_some(want):
            return Exchange([], [], more=False)  # who wakes by the clock must not take the write lock to learn that
        from cronq.transports.sqlite.settlement import settle  # not for a tick

        now = self._clock.now()
        write = self._connections.write if outcomes else self._connections.write_unsynced
        try:
            with write() as connection:
                lost = settle(connection, holder, outcomes, now)
                taken, more = _reserve(connection, holder, want, now) if want else ([], False)
        except SyncError as error:  # all of it has happened: to say otherwise would have it done again
            emit("trouble", error=error)
        while want and want.limit and more and not taken:  # those that must wait were many, and others want to write
            with self._connections.write_unsynced() as connection:
                taken, more = _reserve(connection, holder, want, now)
        return Exchange(taken, lost, more)

    def _has_some(self, want: Want) -> bool:
        with self._connections.read() as connection:
            those = Those(want.queues, want.without_tasks)
            return reservation.depth(connection, those, 1, self._clock.now(), want.rates) > 0

    def held(self) -> list[Held]:
        with self._connections.read() as connection:
            return [Held(*row) for row in connection.execute(sql.HELD)]

    def extend(self, holder: str, until: float) -> int:
        with self._connections.write() as connection:
            return connection.execute(sql.EXTEND, (until, holder)).rowcount

    def rescue(self, holder: str, evidence: Evidence) -> Rescued:
        from cronq.transports.sqlite.settlement import rescue

        with self._connections.write() as connection:
            return rescue(connection, holder, evidence, self._clock.now())

    def depth(self, queues: Sequence[str], at_most: int, without_tasks: Sequence[str] = ()) -> int:
        with self._connections.read() as connection:
            return reservation.depth(connection, Those(queues, without_tasks), at_most, self._clock.now())

    def next_at(self, queues: Sequence[str], without_tasks: Sequence[str] = ()) -> float | None:
        with self._connections.read() as connection:
            return reservation.next_at(connection, Those(queues, without_tasks), self._clock.now())

    def results(self, group_id: str) -> dict[int, bytes | None]:
        with self._connections.read() as connection:
            return dict(connection.execute(sql.RESULTS, (group_id,)).fetchall())

    def counts(self) -> list[QueueCounts]:
        from cronq.transports.sqlite.counts import count

        with self._connections.read() as connection:
            return count(connection, self._clock.now())

    def glance(self) -> list[QueueCounts]:
        from cronq.transports.sqlite.counts import glance

        with self._connections.read() as connection:
            return glance(connection, self._clock.now())

    def waiting(self, queue: str, at_most: int) -> int:
        from cronq.transports.sqlite.counts import waiting

        with self._connections.read() as connection:
            return waiting(connection, queue, at_most)

    def stored_bytes(self) -> int:
        from cronq.transports.sqlite.counts import stored_bytes

        with self._connections.read() as connection:
            return stored_bytes(connection)

    def find(self, message_id: str) -> Record | None:
        key = key_of(message_id)
        with self._connections.read() as connection:
            row = connection.execute(sql.FIND, (key,)).fetchone()
        return None if row is None else record_of(row)

    def held_at(self, holder: str, position: int) -> Message | None:
        with self._connections.read() as connection:
            row = connection.execute(sql.HELD_AT, (holder, position)).fetchone()
        return None if row is None else message_of(row)

    def select(self, selection: Selection) -> list[Record]:
        from cronq.transports.sqlite.pages import select

        with self._connections.read() as connection:
            return [record_of(row) for row in connection.execute(*select(selection))]

    def starting_with(self, digits: str, at_most: int) -> list[str]:
        from cronq.transports.sqlite.pages import starting_with

        with self._connections.read() as connection:
            return [row[0].hex() for row in connection.execute(*starting_with(digits, at_most))]

    def statistics(self, selection: Selection) -> list[Statistic]:
        from cronq.transports.selection import Statistic
        from cronq.transports.sqlite.pages import statistics

        with self._connections.read() as connection:
            return [Statistic(*row) for row in connection.execute(*statistics(selection))]

    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        now = self._clock.now()
        first = now if first_at is None else first_at
        times = [first + number * every_s for number in range(len(message_ids))]
        rows = [(state_at(at, now), at, key_of(one)) for at, one in zip(times, message_ids, strict=True)]
        return self._write_each(sql.REVIVE, rows)

    def amend(self, message_id: str, body: bytes, headers: bytes) -> bool:
        return self._write_each(sql.AMEND, [(body, headers, key_of(message_id))]) == 1

    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        if only is None:
            return self._delete(sql.REMOVE, [(key_of(one),) for one in message_ids])
        return self._delete(sql.REMOVE_ONLY, [(key_of(one), only) for one in message_ids])

    def cancel(self, message_ids: Sequence[str]) -> int:
        return self._delete(sql.CANCEL, [(key_of(one),) for one in message_ids])

    def ask_to_stop(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        holders = {}
        with self._connections.write() as connection:
            for message_id in message_ids:
                if connection.execute(sql.ASK_TO_STOP, (key_of(message_id),)).rowcount:
                    (holders[message_id],) = connection.execute(sql.HOLDER, (key_of(message_id),)).fetchone()
        return holders

    def asked_to_stop(self, holder: str) -> list[str]:
        with self._connections.read() as connection:
            return [key.hex() for (key,) in connection.execute(sql.ASKED_TO_STOP, (holder,))]

    def flush(self, queue: str) -> int:
        with self._connections.write() as connection:
            gone = connection.execute(sql.TIES_IN_QUEUE, (queue,)).fetchall()
            deleted = connection.execute(sql.FLUSH, (queue,)).rowcount
            after(connection, gone, self._clock.now())
        return deleted

    def pause(self, queue: str, paused: bool) -> None:
        self._write_each(sql.PAUSE if paused else sql.RESUME, [(queue,)])

    def pause_task(self, task: str, paused: bool) -> None:
        name = reasons.paused_task(task)
        self.pause(name, paused)
        freed = 0 if paused else FREED_AT_ONCE
        while freed == FREED_AT_ONCE:  # each time in a transaction of its own, so that nobody waits long
            with self._connections.write() as connection:
                freed = free(connection, name, self._clock.now())

    def paused_tasks(self) -> list[str]:
        with self._connections.read() as connection:
            names = [row[0] for row in connection.execute(sql.PAUSED)]
        return sorted(name.removeprefix(reasons.TASK) for name in names if name.startswith(reasons.TASK))

    def prune(self, failed_keep_s: float, at_most: int) -> int:
        now = self._clock.now()
        with self._connections.read() as connection:
            is_due = connection.execute(sql.PRUNABLE, (now - failed_keep_s, now)).fetchone()[0]
            left_behind = stuck(connection)
        if not is_due and not left_behind:
            return 0
        with self._connections.write() as connection:
            sweep(connection, left_behind, now)
            failed = connection.execute(sql.PRUNABLE_FAILED, (now - failed_keep_s, at_most)).fetchall()
            done = connection.execute(sql.PRUNABLE_DONE, (now, at_most - len(failed))).fetchall()
            connection.executemany(sql.DELETE, [row[:1] for row in failed + done])
            after(connection, [row[1:] for row in failed + done], now)
        return len(failed) + len(done)

    def _delete(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """Delete single messages, and free what waits for them."""
        with self._connections.write() as connection:
            gone = []
            for row in rows:
                ties = connection.execute(sql.TIES, row[:1]).fetchone()
                if ties is not None and connection.execute(statement, row).rowcount:
                    gone.append(ties)
            after(connection, gone, self._clock.now())
        return len(gone)

    def schedules(self) -> list[StoredSchedule]:
        with self._connections.read() as connection:
            return schedule_rows.stored(connection)

    def declare(self, source: str, declared: Sequence[StoredSchedule], only: Sequence[str] | None = None) -> None:
        with self._connections.write() as connection:
            schedule_rows.declare(connection, source, declared, only, self._clock.now())

    def revise(self, old: StoredSchedule, new: StoredSchedule) -> bool:
        with self._connections.write() as connection:
            return schedule_rows.revise(connection, old, new)

    def fire(self, firing: Firing) -> Fired:
        now = self._clock.now()
        with self._connections.write() as connection:
            fired = schedule_rows.fire(connection, firing, now)
            if fired is Fired.ENQUEUED:
                schedule_rows.learn(connection, firing.schedule, enqueue(connection, firing.messages, now))
        return fired

    def backup(self, path: str) -> Copy:
        from cronq.transports.sqlite import file_copies

        with self._connections.read() as connection:
            return file_copies.make(connection, self._connections.path, path)

    def restore(self, path: str) -> Copy:
        from cronq.transports.sqlite import file_copies

        with self._connections.overwrite() as connection:
            return file_copies.put_back(path, connection, self._connections.path)

    def _write_each(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        with self._connections.write() as connection:
            return connection.executemany(statement, rows).rowcount

    def close(self) -> None:
        self._connections.close()


def _reserve(connection: sqlite3.Connection, holder: str, want: Want, now: float) -> tuple[list[Message], bool]:
    """Take the next messages, under the rules if there are any; tell whether there are more."""
    found = reservation.reserve(connection, holder, want, now)
    if not isinstance(found, Rules):
        return found
    from cronq.transports.sqlite.gated_reservation import reserve

    return reserve(connection, holder, want, found, now)

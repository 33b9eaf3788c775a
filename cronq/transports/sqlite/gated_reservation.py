"""Taking messages some of which may have to wait: for others of their running key, a rate, a paused task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages import reasons
from cronq.messages.message import State
from cronq.messages.rate import read
from cronq.namedtuple import NamedTuple
from cronq.transports.gate import Candidate, Gate, Known, sift
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.blocked_messages import make_room
from cronq.transports.sqlite.reservation import make_due_ready, take
from cronq.transports.sqlite.rows import key_of, message_of

if TYPE_CHECKING:
    import sqlite3

    from cronq.messages.message import Message
    from cronq.messages.rate import Meter
    from cronq.transports.exchange import Want
    from cronq.transports.gate import Sifted
    from cronq.transports.sqlite.reservation import Rules

REFUSED_AT_ONCE = 1000  # then others may have the write lock


def reserve(
    connection: sqlite3.Connection, holder: str, want: Want, rules: Rules, now: float
) -> tuple[list[Message], bool]:
    """Take the next messages that may run; those met before them that may not are blocked."""
    going = _Reservation(connection, holder, want, rules, now)
    for queue in rules.unpaused(want.queues):
        make_due_ready(connection, queue, now)
        if going.is_over_after(queue):
            break
    going.store_meters()
    make_room(connection, going.passed_by, now)
    return going.taken, going.more


class _Round(NamedTuple):
    """The next candidates of a queue in their order. `are_all`: it has no others."""

    candidates: list[Candidate]
    are_all: bool


class _Reservation:
    """One reservation while it is put together."""

    def __init__(self, connection: sqlite3.Connection, holder: str, want: Want, rules: Rules, now: float) -> None:
        self._connection = connection
        self._holder = holder
        self._want = want
        self._wanted = want.limit
        self._stored = dict(rules.waiting)
        self._gate = Gate(rules.paused, want.rates, Known(self._count_running, self._meter), now)
        self._rates = {name: self._gate.room(name) for name in rules.waiting}
        self._refused = 0
        self.taken: list[Message] = []
        self.passed_by: list[str] = []
        self.more = False

    def is_over_after(self, queue: str) -> bool:
        """Take from a queue what may run and is wanted; tell whether the next queue is not to be looked at."""
        while True:
            wanted = self._wanted - len(self.taken)
            found = self._round(queue, wanted)
            sifted = sift(found.candidates, wanted, self._gate, self._gathered, bool(self.taken))
            self._write(sifted)
            self.more = any(map(self._gate.may_pass, sifted.left)) or self._refused >= REFUSED_AT_ONCE
            if self.more or found.are_all or not found.candidates:
                return self.more

    def store_meters(self) -> None:
        for name, meter in self._gate.meters.items():
            said = (str(meter.rate), meter.written())
            if said != self._stored.get(name):
                self._connection.execute(sql.PUT_METER, (name, *said))

    def _round(self, queue: str, wanted: int) -> _Round:
        """Look at as many as are wanted, and one more, of those ready and of those that a rate allows again.

        Of several such lists the order of all is known only up to the end of the first that was cut off.
        """
        without = self._want.without_tasks
        ready = sql.ready_without(len(without)) if without else sql.READY
        lists: list[tuple[str, tuple[str, ...], int, str | None]] = [(ready, (queue, *without), wanted + 1, None)]
        for name in self._rates:
            by, most = reasons.rate(name), int(min(self._gate.room(name), wanted + 1))
            lists.append((sql.blocked_without(len(without)), (queue, by, *without), most, by))
        found: list[Candidate] = []
        ends: list[tuple[int, str]] = []
        for statement, values, most, blocked_by in lists:
            rows = self._connection.execute(statement, (*values, most)).fetchall() if most else []
            found += [Candidate(message_of(row), blocked_by) for row in rows]
            if rows and len(rows) == most:
                ends.append(_order(found[-1]))
        end = min(ends, default=None)
        return _Round(sorted((one for one in found if end is None or _order(one) <= end), key=_order), end is None)

    def _write(self, sifted: Sifted) -> None:
        blocked = [(State.BLOCKED, why, key_of(one.id)) for one, why in sifted.refused]
        self._connection.executemany(sql.BLOCK, blocked)
        self.taken += take(self._connection, self._holder, self._want, sifted.taken, len(self.taken))
        self.passed_by += sifted.passed_by
        self._refused += len(blocked)
        if sifted.is_batch:
            self._wanted = len(self.taken)

    def _gathered(self, leader: Message) -> list[Message]:
        label = reasons.batch(leader.queue, leader.task)
        found = [
            message_of(row)
            for statement in (sql.GATHERED_READY, sql.GATHERED_DELAYED)
            for row in self._connection.execute(statement, (label, leader.queue, leader.gather))
        ]
        others = sorted((one for one in found if one.id != leader.id), key=lambda one: (-one.priority, one.id))
        return others[: leader.gather - 1]

    def _count_running(self, key: str) -> int:
        count: int = self._connection.execute(sql.COUNT_RUNNING, (key,)).fetchone()[0]
        return count

    def _meter(self, name: str) -> Meter | None:
        if name not in self._stored:
            row = self._connection.execute(sql.METER, (name,)).fetchone()
            if row is None:
                return None
            self._stored[name] = row
        return read(*self._stored[name])


def _order(candidate: Candidate) -> tuple[int, str]:
    return -candidate.message.priority, candidate.message.id

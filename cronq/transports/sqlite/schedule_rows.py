"""Schedules in the SQLite file. Every function works inside the caller's transaction."""

from __future__ import annotations

from cronq.schedules.stored import Fired, StoredSchedule, ended, fired, redeclared, schedule_name
from cronq.transports.sqlite.rows import key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from cronq.messages.message import Outcome
    from cronq.schedules.stored import Firing

_COLUMNS = ", ".join(StoredSchedule._fields)
_ALL = f"SELECT {_COLUMNS} FROM schedules ORDER BY name, source"  # noqa: S608
_OF_SOURCE = f"SELECT {_COLUMNS} FROM schedules WHERE source = ?"  # noqa: S608
_NAMED = f"SELECT {_COLUMNS} FROM schedules WHERE name = ?"  # noqa: S608
_UNFIRED = f"SELECT {_COLUMNS} FROM schedules WHERE source = ? AND name = ? AND next_at IS ?"  # noqa: S608
_PUT = f"REPLACE INTO schedules ({_COLUMNS}) VALUES ({', '.join('?' * len(StoredSchedule._fields))})"  # noqa: S608
_LEARN = "UPDATE schedules SET last_message_id = ? WHERE source = ? AND name = ? AND last_message_id = ?"
_FORGET = "DELETE FROM schedules WHERE source = ? AND name = ?"
_GOES_ON = "SELECT 1 FROM messages WHERE id = ? AND state IN ('ready', 'delayed', 'blocked', 'reserved')"


def stored(connection: sqlite3.Connection) -> list[StoredSchedule]:
    return [StoredSchedule(*row) for row in connection.execute(_ALL)]


def declare(
    connection: sqlite3.Connection,
    source: str,
    schedules: Sequence[StoredSchedule],
    only: Sequence[str] | None,
    now: float,
) -> None:
    before = {row[1]: StoredSchedule(*row) for row in connection.execute(_OF_SOURCE, (source,)).fetchall()}
    gone = [name for name in before if only is None or name in only]
    connection.executemany(_FORGET, [(source, name) for name in gone])
    connection.executemany(_PUT, [redeclared(before.get(one.name), one, now) for one in schedules])


def revise(connection: sqlite3.Connection, old: StoredSchedule, new: StoredSchedule) -> bool:
    if _unfired(connection, old) is None:
        return False
    connection.execute(_PUT, new)
    return True


def fire(connection: sqlite3.Connection, firing: Firing, now: float) -> Fired:
    """Move the schedule on. The caller enqueues its messages when that is the answer."""
    one = _unfired(connection, firing.schedule)
    if one is None:
        return Fired.BEATEN
    moved, answer = fired(one, firing, lambda message_id: _goes_on(connection, message_id), now)
    connection.execute(_PUT, moved)
    return answer


def learn(connection: sqlite3.Connection, one: StoredSchedule, absorbed: Mapping[str, str]) -> None:
    """Let a schedule whose last message was absorbed name the one that is there: that is its run."""
    values = [(standing, one.source, one.name, sent) for sent, standing in absorbed.items()]
    connection.executemany(_LEARN, values)


def end(connection: sqlite3.Connection, outcome: Outcome, now: float) -> None:
    """Write down how a run ended, when the message was one. Others cost no statement."""
    name = schedule_name(outcome.message)
    if name is None:
        return
    for row in connection.execute(_NAMED, (name,)).fetchall():
        one = StoredSchedule(*row)
        if (after := ended(one, outcome, now)) != one:
            connection.execute(_PUT, after)


def _unfired(connection: sqlite3.Connection, known: StoredSchedule) -> StoredSchedule | None:
    """Return the schedule as it is now, None when it has been fired, changed or removed since it was looked at."""
    row = connection.execute(_UNFIRED, (known.source, known.name, known.next_at)).fetchone()
    return None if row is None else StoredSchedule(*row)


def _goes_on(connection: sqlite3.Connection, message_id: str) -> bool:
    return connection.execute(_GOES_ON, (key_of(message_id),)).fetchone() is not None

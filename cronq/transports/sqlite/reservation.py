"""Taking the next messages. Inside the caller's transaction.

Without terms, rates or paused tasks that is one look at each queue; `gated_reservation` is for everything else.
"""

from __future__ import annotations

from operator import itemgetter

from cronq.messages import reasons
from cronq.messages.message import Message
from cronq.namedtuple import NamedTuple
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.rows import key_of, message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from typing import Any

    from cronq.messages.rate import Rate
    from cronq.transports.exchange import Those, Want

_terms = itemgetter(*(Message._fields.index(name) for name in ("running_key", "gather")))
_NO_TERMS = {(None, 0)}
_ASKED_AT_ONCE = 100  # queues: SQLite takes no expression that is nested deeper than 1,000


class Rules(NamedTuple):
    """What is paused, tasks as `task:NAME`, and the rates that something waits for: (rate, spent) as stored."""

    paused: frozenset[str] = frozenset()
    waiting: Mapping[str, tuple[str, str]] = {}

    def unpaused(self, queues: Sequence[str]) -> Sequence[str]:
        return [queue for queue in queues if queue not in self.paused] if self.paused else queues

    @property
    def hold_nothing(self) -> bool:
        """Tell whether no message is held back by what is known here, save those of paused queues."""
        return not self.waiting and not any(":" in name for name in self.paused)


_NO_RULES = Rules()


def rules_of(connection: sqlite3.Connection) -> Rules:
    found = connection.execute(sql.RULES).fetchall()
    if not found:
        return _NO_RULES
    paused = frozenset(name for name, rate, _ in found if rate is None)
    return Rules(paused, {name: (rate, spent) for name, rate, spent in found if rate is not None})


def depth(
    connection: sqlite3.Connection,
    those: Those,
    at_most: int,
    now: float,
    rates: Mapping[str, Rate] | None = None,
) -> int:
    """Count what may be reserved, no further than `at_most`; under the rates as stored unless others are given."""
    rules = rules_of(connection)
    found: int = 0
    unpaused, without = rules.unpaused(those.queues), those.without_tasks
    ready, due, blocked = (sql.leaving_out(one, len(without)) for one in (sql.DEPTH, sql.DEPTH_DUE, sql.DEPTH_BLOCKED))
    for queue in unpaused:
        found += connection.execute(ready, (queue, *without, at_most - found)).fetchone()[0]
        found += connection.execute(due, (queue, now, *without, at_most - found)).fetchone()[0]
        if found >= at_most:
            break
    for name, (rate, spent) in rules.waiting.items():
        from cronq.messages.rate import read
        from cronq.transports.term_rules import allowed

        if found >= at_most:
            break
        allows = min(at_most - found, allowed(read(rate, spent), name, rates, now))
        for queue in unpaused:
            held = connection.execute(blocked, (reasons.rate(name), queue, *without, allows)).fetchone()[0]
            found, allows = found + held, allows - held
    return found


def next_at(connection: sqlite3.Connection, those: Those, now: float) -> float | None:
    """Return when the next message may be reserved that waits for its time, or for a rate."""
    rules = rules_of(connection)
    unpaused, without = rules.unpaused(those.queues), those.without_tasks
    first, blocked = (sql.leaving_out(one, len(without)) for one in (sql.NEXT_AT, sql.DEPTH_BLOCKED))
    times = [connection.execute(first, (queue, *without)).fetchone()[0] for queue in unpaused]
    for name, (rate, spent) in rules.waiting.items():
        from cronq.messages.rate import read

        if any(
            connection.execute(blocked, (reasons.rate(name), queue, *without, 1)).fetchone()[0] for queue in unpaused
        ):
            times.append(read(rate, spent).next_at(now))
    return min((time for time in times if time is not None), default=None)


def reserve(connection: sqlite3.Connection, holder: str, want: Want, now: float) -> tuple[list[Message], bool] | Rules:
    """Take the next messages; tell whether there are more.

    Return the rules, with nothing taken, where these decide: when rates are in force, something is held back, or a
    message has terms.
    """
    is_held, is_due = _anything_else(connection, want.queues, now)
    rules = rules_of(connection) if is_held else _NO_RULES
    rows = None if want.rates or not rules.hold_nothing else _next_plain(connection, want, rules, now, is_due)
    if rows is None:
        return rules
    return take(connection, holder, want, list(map(message_of, rows[: want.limit]))), len(rows) > want.limit


def _anything_else(connection: sqlite3.Connection, queues: Sequence[str], now: float) -> tuple[bool, bool]:
    """Tell whether anything may be held back, and whether anything delayed may be due."""
    if len(queues) > _ASKED_AT_ONCE:
        return True, True
    values = [value for queue in queues for value in (now, queue)]
    found: tuple[bool, bool] = connection.execute(sql.anything_else(len(queues)), values).fetchone()
    return found


def _next_plain(connection: sqlite3.Connection, want: Want, rules: Rules, now: float, is_due: bool) -> list[Any] | None:
    """Return the next messages, one more than wanted if there are; None when one of them is under terms."""
    rows: list[Any] = []
    ready = sql.ready_without(len(want.without_tasks)) if want.without_tasks else sql.READY
    for queue in rules.unpaused(want.queues):
        if is_due:
            make_due_ready(connection, queue, now)
        rows += connection.execute(ready, (queue, *want.without_tasks, want.limit + 1 - len(rows)))
        if not _NO_TERMS.issuperset(map(_terms, rows)):
            return None
        if len(rows) > want.limit:
            break
    return rows


def make_due_ready(connection: sqlite3.Connection, queue: str, now: float) -> None:
    due = connection.execute(sql.DUE, (queue, now)).fetchall()
    if due:
        connection.executemany(sql.MAKE_READY, due)


def take(
    connection: sqlite3.Connection, holder: str, want: Want, messages: Sequence[Message], before: int = 0
) -> list[Message]:
    """Reserve messages, `before` of the same request having been reserved already."""
    taken = [message.reserved(position) for position, message in enumerate(messages, want.position + before)]
    connection.executemany(sql.RESERVE, [(one.position, holder, want.until, key_of(one.id)) for one in taken])
    return taken

"""How far each spool was replayed, and which of its messages are there already. Inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.host.spool import Mark
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.rows import key_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from cronq.messages.message import Message


def replayed(connection: sqlite3.Connection, spool: str) -> Mark | None:
    """Return how far a spool was replayed."""
    row = connection.execute(sql.REPLAYED, (spool,)).fetchone()
    return None if row is None else Mark(*row)


def move_on(connection: sqlite3.Connection, spool: str, before: Mark | None, after: Mark) -> bool:
    """Remember that a spool is replayed up to `after`. False, and nothing done, when it does not stand at `before`."""
    if replayed(connection, spool) != before:
        return False
    connection.execute(sql.PUT_REPLAYED, (spool, *after))
    return True


def new_ones(connection: sqlite3.Connection, messages: Sequence[Message]) -> list[Message]:
    """Return the messages that are not there yet."""
    return [one for one in messages if connection.execute(sql.IS_THERE, (key_of(one.id),)).fetchone() is None]

"""What tests of the file look at, and files that others made."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from cronq.errors import TransportError
from cronq.transports.exchange import Want
from cronq.transports.sqlite import SqliteTransport

if TYPE_CHECKING:
    from cronq.messages.message import Message

ME = "web1/high.0/100/5/boot0001"


def want(limit=1, position=1) -> Want:
    return Want(["high"], 1e12, limit, position)


def connection_of(transport: SqliteTransport) -> sqlite3.Connection:
    return transport._connections.get()


def pragma(transport: SqliteTransport, name: str) -> object:
    return connection_of(transport).execute(f"PRAGMA {name}").fetchone()[0]


def refusal(path: str, **options) -> TransportError:
    transport = SqliteTransport(path, **options)
    with pytest.raises(TransportError) as caught:
        transport.counts()
    transport.close()
    return caught.value


def once(path: str, *messages: Message) -> None:
    """Make the file, with these messages in it, and leave it."""
    transport = SqliteTransport(path)
    transport.enqueue(messages)
    transport.close()


def made_by_sqlite(path: str, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


class Traced:
    """What a connection is asked to do."""

    def __init__(self, transport: SqliteTransport) -> None:
        self.statements: list[str] = []
        connection_of(transport).set_trace_callback(self.statements.append)

    def words(self) -> list[str]:
        """What its transactions consist of."""
        return [statement.split()[0] for statement in self.statements if not statement.startswith("PRAGMA")]

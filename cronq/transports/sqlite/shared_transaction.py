"""Writing inside a transaction that somebody else has begun on our file."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from types import MethodType
from typing import TYPE_CHECKING, Any

from cronq.errors import UsageError
from cronq.transports.sqlite.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRAPPED_AS = ("driver_connection", "dbapi_connection", "connection")  # SQLAlchemy's and Django's names for it
_MOST_WRAPPERS = 5


@contextmanager
def shared(connection: object, path: str) -> Iterator[sqlite3.Connection]:
    """Return the driver's connection to the file at `path`, plain rows and all, until the end of the block.

    Raises UsageError when it is another file's, or in no transaction that a commit of the caller would end.
    """
    own = _unwrapped(connection)
    factory, own.row_factory = own.row_factory, None
    try:
        _refuse_what_cannot_work(own, path)
        yield own
    finally:
        own.row_factory = factory


def _refuse_what_cannot_work(own: sqlite3.Connection, path: str) -> None:
    _refuse_other_file(own, path)
    if not own.in_transaction and (own.isolation_level is None or getattr(own, "autocommit", -1) is True):
        raise UsageError("the connection is in no transaction: begin one, or use enqueue(), which needs none")
    if own.execute("PRAGMA user_version").fetchone()[0] != VERSION:
        raise UsageError(f"{path}: its tables are those of another release of cronq: run `cronq check` first")


def _unwrapped(connection: object) -> sqlite3.Connection:
    inner: Any = connection
    for _ in range(_MOST_WRAPPERS):
        if isinstance(inner, sqlite3.Connection):
            return inner
        wrapped = (getattr(inner, name, None) for name in _WRAPPED_AS)
        inner = next((one for one in wrapped if one is not None and not isinstance(one, MethodType)), None)
    raise UsageError(
        f"{type(connection).__name__} leads to no sqlite3.Connection: the queues are in an SQLite file; give the "
        f"connection of a transaction that has begun on it"
    )


def _refuse_other_file(connection: sqlite3.Connection, path: str) -> None:
    file = next((row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main"), "")
    try:
        is_same = bool(file) and os.path.samestat(os.stat(file), os.stat(path))
    except OSError:
        is_same = False
    if not is_same:
        raise UsageError(
            f"the connection is to {file or 'a database in memory'}, the queues are in {path}: only in one file can "
            f"one transaction hold both; use enqueue(), or keep your tables in cronq's file"
        )

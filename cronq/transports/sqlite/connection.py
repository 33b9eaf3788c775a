"""One open connection: whether it may still be used, a commit at once, the wait for the disk, and what errors mean."""

from __future__ import annotations

import os
import sqlite3

from cronq.errors import SyncError, TransportError, UnstorableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BUSY_TRIES = 4
_MAY_BE_LOST = "what was just written is there, but a power cut may take it"

_inherited: list[sqlite3.Connection] = []
"""Connections of the process this one was forked from. Closing one here could end what the other still relies on."""


class Connection(sqlite3.Connection):
    """Closes itself when a collection finds it before what holds it: Python warns of those that nobody closed."""

    opened_by = 0
    log: str | None = None  # the write-ahead log that is synced after commits; None: SQLite syncs what is to be synced

    def __del__(self) -> None:
        if self.opened_by == os.getpid():
            self.close()
        elif self.opened_by:
            _inherited.append(self)


class Opened:
    """A connection with the process that opened it and the file it was opened on."""

    def __init__(self, connection: Connection, path: str) -> None:
        self.connection = connection
        self._path = path
        self._pid = os.getpid()
        self._file = _file_at(path)
        self._log: int | None = None

    def is_current(self) -> bool:
        """Tell whether it may be used: opened by this process, and the file has not been removed or replaced since."""
        if self._pid != os.getpid():
            return False
        return self.connection.in_transaction or self._file == _file_at(self._path)

    def open_log(self) -> None:
        """Get ready to sync. Before something is committed: who cannot must not say so when it has happened."""
        if self._log is not None or self.connection.log is None:
            return
        try:
            self._log = os.open(self.connection.log, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise TransportError(f"{self._path}-wal: {error.strerror}: cronq must be able to open it") from error

    def write_at_once(self, statement: str, values: Sequence[object]) -> None:
        """Execute one statement, which is a transaction of its own: 4 us less than BEGIN, INSERT and COMMIT.

        Others see it then; `sync` puts it on the disk.
        The busy timeout covers it as it covers BEGIN IMMEDIATE: it has read nothing when it asks for the write lock.
        """
        connection = self.connection
        if connection.in_transaction:
            raise TransportError(f"{self._path}: a transaction is going on: end it before anything is enqueued")
        try:
            patiently(connection.execute, statement, values)
        except sqlite3.Error as error:
            raise explained(self._path, error) from error

    def sync(self) -> None:
        """Wait until the disk has everything that is committed, by whomever. After `open_log`. Raises SyncError.

        Nothing is waited for when less durability is asked for, or when SQLite itself has done so.
        """
        if self.connection.log is None:
            return
        if self._log is None:
            raise SyncError(f"{self._path}-wal: {_MAY_BE_LOST}: its connection was closed before the disk had it")
        try:
            os.fdatasync(self._log)
        except OSError as error:
            if not self._has_moved_all():
                advice = "the disk fails, or is full; free some space or ask your host"
                raise SyncError(
                    f"{self._path}-wal: {error.strerror}: {_MAY_BE_LOST}: {advice}", pressure=True
                ) from error

    def _has_moved_all(self) -> bool:
        """Tell whether all of the log could be moved into the file, and that synced.

        The kernel tells of pages that it could not write once for each descriptor and takes them for written then, so
        another sync of the log would prove nothing. SQLite's own descriptor has its once to tell, too.
        """
        for _ in range(2):
            try:
                (is_busy, _, _) = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.Error:
                continue
            return not is_busy
        return False

    def close(self) -> None:
        if self._pid != os.getpid():
            _inherited.append(self.connection)  # and the log's descriptor may be another file's by now
            return
        self.connection.close()
        log, self._log = self._log, None
        if log is not None:
            os.close(log)


class Finalizer:
    """Closes a connection when what holds this is gone: its thread, or the transport.

    Not left to the connection itself: the traceback of an exception that somebody keeps refers to that.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened

    def __del__(self) -> None:
        self._opened.close()


def explained(path: str, error: sqlite3.Error) -> TransportError:
    """Turn SQLite's words into what is wrong and what to do."""
    if code_of(error) & 0xFF in _OF_WHAT_IS_WRITTEN:
        return UnstorableError(f"{path}: {error}")
    advice, pressure = _ADVICE.get(code_of(error) & 0xFF, ("", False))
    return TransportError(f"{path}: {error}{advice}", pressure=pressure)


_OF_WHAT_IS_WRITTEN = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH})
_ADVICE: dict[int, tuple[str, bool]] = {
    sqlite3.SQLITE_FULL: (": the disk or your quota is full; free some space, nothing accepted so far is lost", True),
    sqlite3.SQLITE_IOERR: (": the disk failed or your quota is full; free some space or ask your host", True),
    sqlite3.SQLITE_BUSY: (": another process held the write lock too long", True),
    sqlite3.SQLITE_READONLY: (": cronq must be able to write this file and its directory", False),
    sqlite3.SQLITE_CANTOPEN: (": cronq must be able to make this file in its directory", False),
    sqlite3.SQLITE_NOTADB: (": is not an SQLite database; move it away, and cronq makes a new one", False),
    sqlite3.SQLITE_CORRUPT: (
        ": is damaged; keep a copy, then try `sqlite3 queue.db .recover | sqlite3 new.db` and put new.db in its place",
        False,
    ),
}


def patiently(execute: Callable[..., object], *arguments: object) -> None:
    """Execute what asks for the write lock, and ask again when the busy timeout was not enough."""
    for _ in range(_BUSY_TRIES - 1):
        try:
            execute(*arguments)
        except sqlite3.OperationalError as error:
            if code_of(error) != sqlite3.SQLITE_BUSY:
                raise
        else:
            return
    execute(*arguments)


def code_of(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) or 0


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""Opening the file: modes, journal, durability, and refusing what is not ours. Then one connection per thread."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
import weakref
from _thread import _local as thread_local  # `threading` costs the tick half a millisecond
from contextlib import AbstractContextManager, contextmanager

from cronq.errors import TransportError
from cronq.host.process import HAS_OWNERS
from cronq.transports.sqlite.connection import Connection, Finalizer, Opened, code_of, explained, patiently
from cronq.transports.sqlite.filesystem import is_local, type_of
from cronq.transports.sqlite.version import APPLICATION_ID, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUSY_TIMEOUT_S = 5.0
_CHECKPOINT_AFTER = 500  # pages: a sync of what overwrites the log takes half as long as of what lengthens it
_PAGE_SIZE = 2048  # bytes, of a new file: a commit writes whole pages, so a small message costs 4 KB instead of 8
_all: weakref.WeakSet[Connections] = weakref.WeakSet()


class Connections:
    """Connections to one database file: one per thread, and new ones in a forked child (SQLite forbids sharing)."""

    def __init__(self, path: str, durability: str = "full", busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._is_durable = durability != "normal"
        self._busy_timeout_s = busy_timeout_s
        self._own = thread_local()
        _all.add(self)

    def get(self) -> Connection:
        """Return this thread's connection, opened when needed. Raises TransportError for a file that is not usable."""
        return self._current().connection

    def durable(self) -> Opened:
        """Return this thread's connection, ready for what has to last. Raises TransportError."""
        opened = self._current()
        opened.open_log()
        return opened

    def _current(self) -> Opened:
        opened: Opened | None = getattr(self._own, "opened", None)
        if opened is None or not opened.is_current():
            self.close()
            opened = self._own.opened = Opened(self._open(), self.path)
            self._own.finalizer = Finalizer(opened)
        return opened

    def write(self, *shown: Callable[[], object]) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction, on the disk when it has ended, if that is the durability asked for.

        `shown` are called in between: others see what was written before the disk has it. SQLite would have them wait,
        and whoever else wants to write (`synchronous = FULL` syncs under the write lock). What they read and add to
        the log lies behind it, so a power cut never takes the earlier and leaves the later. Raises SyncError.
        """
        opened = self.durable()
        return self._transaction(opened.connection, *shown, opened.sync)

    def write_unsynced(self) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction that a power cut may undo, for what is then simply done again: no wait for the disk.

        Without a write-ahead log it waits as every other.
        """
        return self._transaction(self.get())

    @contextmanager
    def _transaction(self, connection: Connection, *then: Callable[[], object]) -> Iterator[sqlite3.Connection]:
        """IMMEDIATE, because the busy timeout does not cover a read that turns into a write.

        A generator, for all that it costs: a signal's exception at the entry of `__exit__` would leave the transaction
        of a class open. This one is rolled back when it is freed.
        """
        try:
            patiently(connection.execute, "BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            raise explained(self.path, error) from error
        except BaseException:
            _roll_back(connection)
            raise
        for do in then:
            do()

    @contextmanager
    def overwrite(self) -> Iterator[sqlite3.Connection]:
        """For what replaces the whole content by means of its own, and is on the disk when it has ended."""
        opened = self.durable()
        with self.read() as connection:
            yield connection
        opened.sync()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Plain reads, each its own snapshot."""
        try:
            yield self.get()
        except sqlite3.Error as error:
            raise explained(self.path, error) from error

    def close(self) -> None:
        """Close this thread's connection."""
        opened: Opened | None = getattr(self._own, "opened", None)
        self._own.opened = None
        if opened is not None:
            opened.close()

    def close_before_fork(self) -> None:
        """Close this thread's connection, unless a transaction is going on."""
        opened: Opened | None = getattr(self._own, "opened", None)
        if opened is not None and not opened.connection.in_transaction:
            self.close()

    def _open(self) -> Connection:
        try:
            _make_private(self.path)
            return self._connect()
        except sqlite3.Error as error:
            raise explained(self.path, error) from error
        except OSError as error:
            raise TransportError(f"{self.path}: {error.strerror}: cronq must be able to read and write it") from error

    def _connect(self) -> Connection:
        """Connect; again and again while others open a fresh file: its switch to WAL knows no busy timeout."""
        last_try = time.monotonic() + self._busy_timeout_s
        while True:
            connection = sqlite3.connect(
                self.path,
                timeout=self._busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,  # used by one thread, but the end of a thread may be noticed by another
                factory=Connection,
            )
            connection.opened_by = os.getpid()
            try:
                self._configure(connection)
            except BaseException as error:
                connection.close()
                if code_of(error) & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= last_try:
                    raise
                time.sleep(0.002 + os.getpid() % 16 / 1000)  # so that they do not meet again
            else:
                return connection

    def _configure(self, connection: Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        fresh = application == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if application != APPLICATION_ID and not fresh and not _is_half_made(connection):
            raise TransportError(f"{self.path}: is a database of another program: set `transport` to a file of its own")
        if version > VERSION:
            raise TransportError(
                f"{self.path}: was written by a newer cronq (schema {version}, this one knows {VERSION}): "
                f"install the newer version again"
            )
        if fresh:
            connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
        is_wal = self._set_journal(connection) == "wal"
        is_synced_here = is_wal and self._is_durable and hasattr(os, "fdatasync")
        by_itself = self._is_durable and not is_synced_here
        connection.execute(f"PRAGMA synchronous = {'FULL' if by_itself else 'NORMAL'}")
        if is_synced_here:
            connection.log = f"{self.path}-wal"  # nobody leaves WAL while we have the file open
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_AFTER}")
        if version < VERSION:
            from cronq.transports.sqlite.schema import migrate

            migrate(connection, self.path)

    def _set_journal(self, connection: Connection) -> str:
        file_system = type_of(self.path)
        wanted = "wal" if is_local(file_system) else "truncate"
        answer = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if answer != wanted:
            try:
                answer = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
                connection.execute(
                    "SELECT 1 FROM sqlite_master"
                ).fetchone()  # makes the log, which `open_log` looks for
            except sqlite3.OperationalError as error:
                if wanted == "wal" or code_of(error) != sqlite3.SQLITE_BUSY:
                    raise
        if answer == "wal" and wanted == "truncate":
            raise TransportError(
                f"{self.path}: is in WAL mode on {file_system}, a file system where that corrupts data, and another "
                f"process keeps it open: run `cronq stop`, then try again"
            )
        return str(answer)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


_OWN_TABLES = {"_sqlite_migrations", "messages", "paused", "rates", "replayed", "schedules", "sqlite_sequence"}


def _is_half_made(connection: sqlite3.Connection) -> bool:
    """Tell whether a first migration was cut short: its own table of migrations is there and nothing foreign."""
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return "_sqlite_migrations" in names and names <= _OWN_TABLES


def _close_before_fork() -> None:
    """A fork copies SQLite's notes on the locks of this process, but not the locks.

    A child that opens the file again trusts the notes and takes none of its own. Once its parent has ended, the next
    process to close the file believes to be the last, removes the journal, and what the child writes then is lost
    (sqlite.org/howtocorrupt.html, section 2.6).
    """
    for connections in list(_all):
        connections.close_before_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_close_before_fork)


def _make_private(path: str) -> None:
    """Make the file 0600 before SQLite opens it: its journals inherit the mode. Refuse links and open modes."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass  # and must not be opened here: closing it would drop the locks of another thread's connection
    else:
        return
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise TransportError(f"{path}: is not a regular file (symbolic links are not followed): remove it")
    if HAS_OWNERS and found.st_mode & 0o022:
        raise TransportError(
            f"{path}: mode {stat.S_IMODE(found.st_mode):04o} lets others write, and whoever writes there "
            f"runs tasks as you: chmod 600 {path}"
        )

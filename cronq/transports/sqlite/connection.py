"""Opening the file: modes, journal, durability, and refusing what is not ours. Then one connection per thread."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
import weakref
from _thread import _local as thread_local  # `threading` costs the tick half a millisecond
from contextlib import AbstractContextManager, contextmanager

from cronq.errors import SyncError, TransportError
from cronq.transports.sqlite.filesystem import is_local, type_of
from cronq.transports.sqlite.version import APPLICATION_ID, VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BUSY_TIMEOUT_S = 5.0
_BUSY_TRIES = 4
_CHECKPOINT_AFTER = 500  # pages: a sync of what overwrites the log takes half as long as of what lengthens it
_PAGE_SIZE = 2048  # bytes, of a new file: a commit writes whole pages, so a small message costs 4 KB instead of 8


_inherited: list[sqlite3.Connection] = []
"""Connections of the process this one was forked from. Closing one here could end what the other still relies on."""

_opened: weakref.WeakSet[Connections] = weakref.WeakSet()


class _Connection(sqlite3.Connection):
    """Closes itself when a collection finds it before what holds it: Python warns of those that nobody closed."""

    opened_by = 0
    log: str | None = None  # the write-ahead log that is synced after commits; None: SQLite syncs what is to be synced

    def __del__(self) -> None:
        if self.opened_by == os.getpid():
            self.close()
        elif self.opened_by:
            _inherited.append(self)


class _Opened:
    """A connection with the process that opened it and the file it was opened on."""

    def __init__(self, connection: _Connection, path: str) -> None:
        self.connection = connection
        self._pid = os.getpid()
        self._file = _file_at(path)
        self._log: int | None = None

    def is_current(self, path: str) -> bool:
        """Tell whether it may be used: opened by this process, and the file has not been removed or replaced since."""
        if self._pid != os.getpid():
            return False
        return self.connection.in_transaction or self._file == _file_at(path)

    def open_log(self) -> None:
        """Get ready to sync. Before something is committed: who cannot must not say so when it has happened."""
        if self._log is None and self.connection.log is not None:
            self._log = os.open(self.connection.log, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def sync(self) -> None:
        """Wait until the disk has everything that is committed, by whomever. Raises OSError."""
        if self._log is None:
            return
        try:
            os.fdatasync(self._log)
        except OSError:
            if not self._has_moved_all():
                raise

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

    def __del__(self) -> None:
        """A thread has ended, or nobody uses the transport any more: a connection alone would wait for a collection."""
        self.close()


class Connections:
    """Connections to one database file: one per thread, and new ones in a forked child (SQLite forbids sharing)."""

    def __init__(self, path: str, durability: str = "full", busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self._is_durable = durability != "normal"
        self._busy_timeout_s = busy_timeout_s
        self._own = thread_local()
        _opened.add(self)

    def get(self) -> _Connection:
        """Return this thread's connection, opened when needed. Raises TransportError for a file that is not usable."""
        opened: _Opened | None = getattr(self._own, "opened", None)
        if opened is None or not opened.is_current(self.path):
            self.close()
            opened = self._own.opened = _Opened(self._open(), self.path)
        return opened.connection

    def write(self, *shown: Callable[[], object]) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction, on the disk when it has ended, if that is the durability asked for.

        `shown` are called in between: others see what was written before the disk has it. SQLite would have them wait,
        and whoever else wants to write (`synchronous = FULL` syncs under the write lock). What they read and add to
        the log lies behind it, so a power cut never takes the earlier and leaves the later. Raises SyncError.
        """
        return self._transaction(self._get_durable(), *shown, self._sync)

    def write_unsynced(self) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction that a power cut may undo, for what is then simply done again: no wait for the disk.

        Without a write-ahead log it waits as every other.
        """
        return self._transaction(self.get())

    @contextmanager
    def _transaction(self, connection: _Connection, *then: Callable[[], object]) -> Iterator[sqlite3.Connection]:
        """IMMEDIATE, because the busy timeout does not cover a read that turns into a write.

        A generator, for all that it costs: a signal's exception at the entry of `__exit__` would leave the transaction
        of a class open. This one is rolled back when it is freed.
        """
        try:
            _patiently(connection.execute, "BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(connection)
            raise self.explain(error) from error
        except BaseException:
            _roll_back(connection)
            raise
        for do in then:
            do()

    def write_at_once(self, statement: str, values: Sequence[object], shown: Callable[[], object]) -> None:
        """`write` for one statement, which is a transaction of its own: 4 us less than BEGIN, INSERT and COMMIT.

        The busy timeout covers it as it covers BEGIN IMMEDIATE: it has read nothing when it asks for the write lock.
        """
        connection = self._get_durable()
        if connection.in_transaction:
            raise TransportError(f"{self.path}: a transaction is going on: end it before anything is enqueued")
        try:
            _patiently(connection.execute, statement, values)
        except sqlite3.Error as error:
            raise self.explain(error) from error
        shown()
        self._sync()

    @contextmanager
    def overwrite(self) -> Iterator[sqlite3.Connection]:
        """For what replaces the whole content by means of its own, and is on the disk when it has ended."""
        self._get_durable()
        with self.read() as connection:
            yield connection
        self._sync()

    def sync(self) -> None:
        """Wait until the disk has all that is committed, unless less durability is asked for. Raises SyncError."""
        self._get_durable()
        self._sync()

    def _get_durable(self) -> _Connection:
        """Return this thread's connection, ready for what has to last."""
        connection = self.get()
        try:
            self._own.opened.open_log()
        except OSError as error:
            raise TransportError(f"{self.path}-wal: {error.strerror}: cronq must be able to open it") from error
        return connection

    def _sync(self) -> None:
        try:
            self._own.opened.sync()
        except OSError as error:
            raise SyncError(
                f"{self.path}-wal: {error.strerror}: what was just written is there, but a power cut may take it: "
                f"the disk fails, or is full; free some space or ask your host",
                pressure=True,
            ) from error

    @contextmanager
    def read(self) -> Iterator[_Connection]:
        """Plain reads, each its own snapshot."""
        try:
            yield self.get()
        except sqlite3.Error as error:
            raise self.explain(error) from error

    def close(self) -> None:
        """Close this thread's connection."""
        opened: _Opened | None = getattr(self._own, "opened", None)
        self._own.opened = None
        if opened is not None:
            opened.close()

    def close_before_fork(self) -> None:
        """Close this thread's connection, unless a transaction is going on."""
        opened: _Opened | None = getattr(self._own, "opened", None)
        if opened is not None and not opened.connection.in_transaction:
            self.close()

    def _open(self) -> _Connection:
        try:
            _make_private(self.path)
            return self._connect()
        except sqlite3.Error as error:
            raise self.explain(error) from error
        except OSError as error:
            raise TransportError(f"{self.path}: {error.strerror}: cronq must be able to read and write it") from error

    def _connect(self) -> _Connection:
        """Connect; again and again while others open a fresh file: its switch to WAL knows no busy timeout."""
        last_try = time.monotonic() + self._busy_timeout_s
        while True:
            connection = sqlite3.connect(
                self.path,
                timeout=self._busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,  # used by one thread, but the end of a thread may be noticed by another
                factory=_Connection,
            )
            connection.opened_by = os.getpid()
            try:
                self._configure(connection)
            except BaseException as error:
                connection.close()
                if _code(error) & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= last_try:
                    raise
                time.sleep(0.002 + os.getpid() % 16 / 1000)  # so that they do not meet again
            else:
                return connection

    def _configure(self, connection: _Connection) -> None:
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
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if is_wal or not self._is_durable else 'FULL'}")
        if is_wal and self._is_durable:
            connection.log = f"{self.path}-wal"  # nobody leaves WAL while we have the file open
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_AFTER}")
        if version < VERSION:
            from cronq.transports.sqlite.schema import migrate

            migrate(connection, self.path)

    def _set_journal(self, connection: _Connection) -> str:
        file_system = type_of(self.path)
        wanted = "wal" if is_local(file_system) else "truncate"
        answer = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if answer != wanted:
            try:
                answer = connection.execute(f"PRAGMA journal_mode = {wanted}").fetchone()[0]
            except sqlite3.OperationalError as error:
                if wanted == "wal" or _code(error) != sqlite3.SQLITE_BUSY:
                    raise
        if answer == "wal" and wanted == "truncate":
            raise TransportError(
                f"{self.path}: is in WAL mode on {file_system}, a file system where that corrupts data, and another "
                f"process keeps it open: run `cronq stop`, then try again"
            )
        return str(answer)

    def explain(self, error: sqlite3.Error) -> TransportError:
        """Turn SQLite's words into what is wrong and what to do."""
        code = _code(error) & 0xFF
        advice, pressure = _ADVICE.get(code, ("", False))
        return TransportError(f"{self.path}: {error}{advice}", pressure=pressure)


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


def _patiently(execute: Callable[..., object], *arguments: object) -> None:
    """Execute what asks for the write lock, and ask again when the busy timeout was not enough."""
    for _ in range(_BUSY_TRIES - 1):
        try:
            execute(*arguments)
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY:
                raise
        else:
            return
    execute(*arguments)


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) or 0


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


_OWN_TABLES = {"_sqlite_migrations", "messages", "paused", "rates", "schedules", "sqlite_sequence"}


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
    for connections in list(_opened):
        connections.close_before_fork()


os.register_at_fork(before=_close_before_fork)


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make_private(path: str) -> None:
    """Make the file 0600 before SQLite opens it: its journals inherit the mode. Refuse links and open modes."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass  # and must not be opened here: closing it would drop the locks of another thread's connection
    else:
        return
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise TransportError(f"{path}: is not a regular file (symbolic links are not followed): remove it")
    if found.st_mode & 0o022:
        raise TransportError(
            f"{path}: mode {stat.S_IMODE(found.st_mode):04o} lets others write, and whoever writes there "
            f"runs tasks as you: chmod 600 {path}"
        )

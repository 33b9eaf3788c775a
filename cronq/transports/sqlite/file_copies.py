"""Copies of the database file: made while everybody works, checked, and put back.

SQLite's online backup copies one snapshot, so nobody has to stop; and it never opens the live file anew, which a
plain copy does: closing that drops the locks of this process (sqlite.org/howtocorrupt.html, section 2.2).
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

from cronq.clock import SystemClock
from cronq.errors import TransportError
from cronq.host.process import PRESSURE, start_of
from cronq.host.state_dir import NEW, document_root_of
from cronq.namedtuple import NamedTuple
from cronq.transports.abilities.copies import Copy
from cronq.transports.exchange import Evidence
from cronq.transports.sqlite import statements as sql
from cronq.transports.sqlite.connections import Connections
from cronq.transports.sqlite.counts import count
from cronq.transports.sqlite.settlement import rescue
from cronq.transports.sqlite.version import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0  # for others that hold the file's locks
_NEVER_STARTED = Evidence("copied while it was reserved", certain=True)
_COMPANIONS = ("", "-wal", "-shm", "-journal", ".migrate.lock")


class _Header(NamedTuple):
    """What the first page of a database file says (sqlite.org/fileformat.html, section 1.3)."""

    application_id: int
    is_wal: bool


def make(connection: sqlite3.Connection, live: str, target: str) -> Copy:
    """Write what `connection` sees of the file `live` to `target`: whole, private and durable, or not at all.

    The copy has no reservations: what was running is ready in it, with its attempt taken back. So it can be used on
    any host, and no note in a slot is taken for news of it. Raises TransportError.
    """
    _refuse_target(live, target)
    with _Draft(target) as draft:
        _copy(connection, draft.path)
        copied = _settle(draft.path)
        _sync(draft.path, os.O_RDWR)
        os.replace(draft.path, target)
        if hasattr(os, "O_DIRECTORY"):  # Windows opens no directories
            _sync(os.path.dirname(target), os.O_RDONLY | os.O_DIRECTORY)
    return copied._replace(path=target)


def put_back(source: str, connection: sqlite3.Connection, live: str) -> Copy:
    """Replace everything in the open file `live` by what the copy `source` holds, in one commit.

    The file stays the same one, so processes that have it open go on with the new content. A copy of an older cronq
    is migrated before. Raises TransportError, and then nothing has changed (the caller syncs it).
    """
    _refuse_source(live, source)
    with _Draft(f"{live}.restored", source) as draft:
        with closing(sqlite3.connect(f"file:{quote(source)}?mode=ro", uri=True)) as kept:
            _copy(kept, draft.path)
        copied = _settle(draft.path)
        _take_page_size(draft.path, connection)
        with closing(sqlite3.connect(draft.path)) as settled:
            settled.backup(connection, progress=_patiently())
    return copied._replace(path=source)


class _Draft:
    """A private file beside `target` that is gone afterwards. Errors in the block name `shown`, what people know."""

    def __init__(self, target: str, shown: str | None = None) -> None:
        self.path = f"{target}.{os.getpid()}{NEW}"
        self._target = target
        self._shown = shown or target

    def __enter__(self) -> _Draft:
        _remove_drafts_of_the_dead(self._target)
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise self._explained(error) from error
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        _remove(self.path)
        if isinstance(error, TransportError | sqlite3.Error | OSError):
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> TransportError:
        if isinstance(error, TransportError):
            return TransportError(str(error).replace(self.path, self._shown), pressure=error.pressure)
        if isinstance(error, OSError):
            advice = "make the directory first" if error.errno == errno.ENOENT else "the copy was not made"
            text = f"{self._shown}: {error.strerror}: {advice}"
            return TransportError(text, pressure=error.errno in PRESSURE)
        is_full = getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY}
        return TransportError(f"{self._shown}: {error}: nothing was changed", pressure=is_full)


def _copy(source: sqlite3.Connection, path: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("PRAGMA synchronous = OFF")  # synced once, when it is whole
        source.backup(target, progress=_patiently())


def _patiently() -> Callable[[int, int, int], None]:
    """Return a callback that ends a wait for locks: SQLite's own loop would try for ever, deaf to Ctrl-C."""
    last_try = time.monotonic() + PATIENCE_S

    def told(status: int, remaining: int, total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and time.monotonic() >= last_try:
            raise TransportError("another process held the locks of the database too long", pressure=True)

    return told


def _settle(path: str) -> Copy:
    """Make a fresh copy current, nobody's, and one file that needs no other beside it; see that it is sound."""
    connections, now = Connections(path), SystemClock().now()
    try:
        with connections.write() as connection:
            for holder, *_ in connection.execute(sql.HELD).fetchall():
                rescue(connection, holder, _NEVER_STARTED, now)
            counts = count(connection, now)
    finally:
        connections.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise TransportError(f"{path}: the copy is damaged, and so may be what it was made of: {found}")
    waiting = sum(one.ready + one.delayed + one.blocked for one in counts)
    return Copy(path, os.path.getsize(path), waiting, sum(one.failed for one in counts))


def _take_page_size(path: str, live: sqlite3.Connection) -> None:
    """Give a copy the page size of the live file, which a file in WAL mode keeps whatever is put into it."""
    (wanted,) = live.execute("PRAGMA page_size").fetchone()
    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        if copy.execute("PRAGMA page_size").fetchone() != (wanted,):
            copy.execute(f"PRAGMA page_size = {wanted}")
            copy.execute("VACUUM")


def _refuse_target(live: str, target: str) -> None:
    served = document_root_of(target)
    if served:
        raise TransportError(f"{target}: lies below {served}/, which web servers hand out: keep copies outside of it")
    if any(_is_same(f"{live}{suffix}", target) for suffix in _COMPANIONS):
        raise TransportError(f"{target}: is the live database itself: give the copy another name")
    try:
        mode = os.lstat(target).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        what = "a directory: give a file in it" if stat.S_ISDIR(mode) else "no regular file: give another name"
        raise TransportError(f"{target}: is {what}")
    header = _header(target)
    if os.path.exists(f"{target}-wal") or (header is not None and header.is_wal):
        raise TransportError(f"{target}: is a database that is in use, not a copy of one: give another name")
    if header is None or header.application_id != APPLICATION_ID:
        raise TransportError(f"{target}: is there already and no copy of cronq's: remove it, or give another name")


def _refuse_source(live: str, source: str) -> None:
    if _is_same(live, source):
        raise TransportError(f"{source}: is the live database itself: give a copy that `cronq backup` made")
    try:
        header = _header(source)
    except OSError as error:
        raise TransportError(f"{source}: {error.strerror}: give a copy that `cronq backup` made") from error
    if header is None or header.application_id != APPLICATION_ID:
        raise TransportError(f"{source}: is no database of cronq's: give a copy that `cronq backup` made")


def _header(path: str) -> _Header | None:
    """Read the head of a file that this process has no connection to; None when it is no database."""
    with open(path, "rb") as file:
        head = file.read(100)
    if len(head) < 100 or not head.startswith(b"SQLite format 3\0"):
        return None
    return _Header(int.from_bytes(head[68:72]), is_wal=2 in head[18:20])


def _is_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return os.path.realpath(one) == os.path.realpath(other)


def _remove_drafts_of_the_dead(target: str) -> None:
    """Remove what copies of `target` left whose process was killed."""
    directory, name = os.path.split(target)
    try:
        beside = os.listdir(directory)
    except OSError:
        return
    for one in beside:
        pid = one.removeprefix(f"{name}.").removesuffix(NEW)
        if one == f"{name}.{pid}{NEW}" and pid.isdecimal() and start_of(int(pid)) is None:
            _remove(f"{directory}/{one}")


def _remove(path: str) -> None:
    for suffix in reversed(_COMPANIONS):
        try:
            os.unlink(f"{path}{suffix}")
        except FileNotFoundError:
            pass


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Kernel locks that a process holds until it dies, however it dies.

POSIX record locks (fcntl(2)), chosen over flock(2) after trying both: a child that a task forks does not
inherit them, so it cannot keep a dead consumer's slot; and F_GETLK names the holder without taking the lock,
so that looking never gets in the way of a consumer that is just starting.
Their price is known and paid here: they are lost when the process closes *any* descriptor of the file,
and threads of one process do not exclude each other. So this module alone opens lock files, and it
remembers which ones this process holds.
"""

from __future__ import annotations

import errno
import os
import struct
import time
from _thread import RLock  # `threading` costs the tick half a millisecond

from cronq.host.state_dir import open_private, open_to_read

try:
    import fcntl
except ModuleNotFoundError:  # Windows, where what needs locks is refused before (requirements.py)
    pass

_FLOCK = "hhqqi4x"  # struct flock on 64-bit Linux: l_type, l_whence, l_start, l_len, l_pid
_held: set[tuple[int, int]] = set()  # device and inode: a file can have several names, through links on the way
_held_guard = RLock()  # not a plain lock: a signal may end a process, slot and all, in the middle of what it guards


class Lock:
    """A lock that is held. `descriptor` is the open lock file: its content belongs to the holder."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    def release(self) -> None:
        """Give the lock back. The file stays: somebody may be about to lock it."""
        with _held_guard:
            _held.discard(_file_of(self.descriptor))
            os.close(self.descriptor)

    def is_in_place(self) -> bool:
        """Tell whether the locked file is still the one its path names (nobody removed or replaced it)."""
        return _file_at(self.path) == _file_of(self.descriptor)

    def hold_on(self) -> bool:
        """Take the lock again, which changes nothing while it is held. False: it was lost, and somebody else has it.

        It is lost when other code of this process opens and closes the file: a task that zips the whole project.
        """
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EACCES, errno.EAGAIN}:
                return False
            raise
        return True


def take(path: str, within_s: float = 0.0) -> Lock | None:
    """Take the lock, or return None when anybody holds it, another thread of this process included.

    With `within_s` it is tried again and again for so many seconds.
    """
    last_try = time.monotonic() + within_s
    while (lock := _take_now(path)) is None and time.monotonic() < last_try:
        time.sleep(0.01)
    return lock


def _take_now(path: str) -> Lock | None:
    with _held_guard:
        if _file_at(path) in _held:
            return None
        descriptor = open_private(path, os.O_RDWR)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in {errno.EACCES, errno.EAGAIN}:
                return None
            raise
        _held.add(_file_of(descriptor))
    return Lock(path, descriptor)


def wait(path: str) -> Lock:
    """Take the lock as soon as its holder lets go or dies. Only a signal handler that raises ends the wait."""
    descriptor = open_private(path, os.O_RDWR)
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    with _held_guard:
        _held.add(_file_of(descriptor))
    return Lock(path, descriptor)


def holder_pid(path: str) -> int | None:
    """Return the pid of the process that holds the lock, None when nobody does. Takes nothing, disturbs nobody."""
    return look(path)[0]


def look(path: str) -> tuple[int | None, bytes]:
    """Return who holds the lock, and what is written in its file. The lock is asked for first, so what is read
    cannot be older than the answer.

    Of a lock that this process holds, the content stays unread: closing the file would drop the lock.
    """
    with _held_guard:
        if _file_at(path) in _held:
            return os.getpid(), b""
        try:
            descriptor = open_to_read(path)
        except FileNotFoundError:
            return None, b""
        try:
            asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, asked)
            content = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    lock_type, _whence, _start, _length, pid = struct.unpack(_FLOCK, answer)
    return (None if lock_type == fcntl.F_UNLCK else pid), content


def _file_at(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _file_of(descriptor: int) -> tuple[int, int]:
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino


def _forget_in_child() -> None:
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)

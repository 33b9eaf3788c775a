"""The state directory: where its files are, who may see them, and when it is refused."""

from __future__ import annotations

import errno
import os
import stat
from functools import lru_cache

from cronq.errors import StateDirError
from cronq.host.process import HAS_OWNERS, PRESSURE, own_name, user_name
from cronq.host.shared_places import refuse_what_others_can_replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO


_DOCUMENT_ROOTS = frozenset({"public_html", "www", "htdocs", "html", "httpdocs", "public", "web_root", "wwwroot"})
_LONGEST = 64  # characters of a queue's name, as in config/kinds.py
NEW = ".new"  # what a file is called while it is written; one that stays is of a process that was killed
_SUBDIRECTORIES = ("run", "alive", "wake", "log")


class StateDir:
    """Paths below the state directory. All directories are 0700, all files 0600."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.run: str = f"{path}/run"
        self.tick_lock: str = f"{path}/run/tick.lock"
        self.starts: str = f"{path}/run/starts"
        self.ticks: str = f"{path}/ticks"
        self.interval: str = f"{path}/interval"
        self.environ: str = f"{path}/environ"
        self.stop: str = f"{path}/stop"
        self.durations: str = f"{path}/durations"
        self.known_tasks: str = f"{path}/tasks"
        self.unserved: str = f"{path}/unserved"
        self.told: str = f"{path}/told"
        self.log: str = f"{path}/log/cronq.log"
        self.output: str = f"{path}/log/output.log"
        self.spool: str = f"{path}/spool"

    def last_stop(self) -> str:
        """Return what tells the last `cronq stop` from all others: when its file was written, and which one it is."""
        try:
            found = os.stat(self.stop)
        except OSError:
            return ""
        return f"{found.st_mtime_ns}.{found.st_ino}"

    def slot(self, name: str) -> str:
        return f"{self.path}/run/{name}.pid"

    def account(self, number: int) -> str:
        return f"{self.path}/run/account.{number}.lock"

    def successor(self, slot: str) -> str:
        return f"{self.path}/run/{slot}.next"

    def backoff(self, group: str) -> str:
        return f"{self.path}/run/{group}.backoff"

    def launch(self, group: str) -> str:
        return f"{self.path}/run/{group}.launch"

    def alive(self, queue: str) -> str:
        return f"{self.path}/alive/{_file_of(queue)}"

    def wake(self, queue: str) -> str:
        return f"{self.path}/wake/{_file_of(queue)}"

    def secret(self, webhook: str) -> str:
        return f"{self.path}/webhook.{webhook}.secret"

    def prepare(self) -> None:
        """Make the directory and its parts where they are missing, and refuse a place that is not private.

        Raises StateDirError with what is wrong, where, and the command that mends it.
        """
        try:
            if not os.path.isdir(self.path):
                self._refuse_open_places()
            if _make_directory(self.path):
                keep_name(self.path)
            self._refuse_others()
            self._close_to_others()
            for name in _SUBDIRECTORIES:
                _make_directory(f"{self.path}/{name}")
                _refuse_planted(f"{self.path}/{name}")
        except OSError as error:
            raise StateDirError(
                f"{error.filename or self.path}: {error.strerror}: the state directory must be writable for "
                f"{own_name()}; set state_dir in cronq.toml to a directory of yours"
            ) from error

    def refuse(self) -> None:
        """Raise StateDirError for a place that `prepare` would refuse, and change nothing."""
        if os.path.lexists(self.path):
            self._refuse_others()
        else:
            self._refuse_open_places()

    def _refuse_others(self) -> None:
        self._refuse_open_places()
        found = os.lstat(self.path)
        if not stat.S_ISDIR(found.st_mode):
            raise StateDirError(f"{self.path}: is not a directory (symbolic links are not followed): remove it")
        if not HAS_OWNERS:
            return
        if found.st_uid != os.geteuid():
            raise StateDirError(
                f"{self.path}: belongs to {user_name(found.st_uid)}, but cronq runs as {own_name()}: "
                f"run cronq as its owner, or set another state_dir"
            )
        if found.st_mode & 0o022:
            raise StateDirError(
                f"{self.path}: mode {stat.S_IMODE(found.st_mode):04o} lets others write, and whoever writes there "
                f"runs tasks as you: chmod 700 {self.path}"
            )

    def _close_to_others(self) -> None:
        if HAS_OWNERS and os.lstat(self.path).st_mode & 0o055:
            os.chmod(self.path, 0o700)

    def _refuse_open_places(self) -> None:
        refuse_what_others_can_replace(self.path)
        served = document_root_of(self.path)
        if served:
            raise StateDirError(
                f"{self.path}: lies below {served}/, which web servers hand out to the world: "
                f"set state_dir to a directory outside, such as {os.path.expanduser('~')}/.cronq"
            )


def document_root_of(path: str) -> str | None:
    """Return the name of the directory above `path` that web servers hand out, by the names hosts give it."""
    served = _DOCUMENT_ROOTS.intersection(os.path.realpath(path).split("/"))
    return min(served, default=None)


@lru_cache(maxsize=1024)
def _file_of(queue: str) -> str:
    """Return the name of a queue's file. Names that nobody may configure, from stored messages, share one."""
    return "_" if "/" in queue or "\0" in queue or not 0 < len(queue) <= _LONGEST or queue[0] == "." else queue


def _make_directory(path: str) -> bool:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return False
    return True


def keep_name(path: str) -> None:
    """Make a new directory, or file, survive a power cut: what is synced in it later is lost when its own name is."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows opens no directories
    descriptor = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # a file system that cannot sync directories; there is nothing better to do
    finally:
        os.close(descriptor)


def _refuse_planted(path: str) -> None:
    """Refuse what was put there while the state directory was open to others."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or (HAS_OWNERS and found.st_uid != os.geteuid()):
        raise StateDirError(f"{path}: is not a directory of yours (symbolic links are not followed): remove it")


def open_private(path: str, flags: int) -> int:
    """Open a file of the state directory: 0600 when made, never through a symbolic link, never inherited.

    A FIFO in its place is refused and not waited for. Raises OSError.
    """
    return _no_stranger(path, os.open(path, flags | os.O_CREAT | _PLAIN, 0o600))


def flags_of(*names: str) -> int:
    """Return the flags of open(2) of those names, as far as this system has them."""
    flags = 0
    for name in names:
        flags |= getattr(os, name, 0)
    return flags


_PLAIN = flags_of("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NONBLOCK")  # a FIFO would be waited for without the last


def _no_stranger(path: str, descriptor: int) -> int:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISFIFO(mode) and not stat.S_ISDIR(mode):
        return descriptor
    os.close(descriptor)
    what = "FIFO" if stat.S_ISFIFO(mode) else "directory"
    raise OSError(errno.EINVAL, f"is a {what} where cronq keeps a file of its own: remove it", path)


def replace_text(path: str, text: str) -> None:
    """Write a small file whole: a reader sees the old text or the new one, never half of it."""
    new = f"{path}.{os.getpid()}{NEW}"
    try:
        with private_file(new, os.O_WRONLY | os.O_TRUNC) as file:
            file.write(text.encode())
        os.replace(new, path)
    except OSError as error:
        _remove_new(new)
        error.filename = path  # as people know it, and the same each time
        raise


def _remove_new(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it was never made, or the directory is the very trouble


def rewrite_text(path: str, text: str) -> None:
    """Write a small file as `replace_text` does; where there is no room for a second one, over what stands in it.

    A file that has text has a block of the disk, and needs no other one. Raises OSError for an empty one, whose times
    have changed then: who watches it knows.
    """
    try:
        replace_text(path, text)
    except OSError as error:
        if error.errno not in PRESSURE:
            raise
        _overwrite(path, text.encode())


def _overwrite(path: str, content: bytes) -> None:
    descriptor = open_private(path, os.O_WRONLY)
    try:
        os.utime(descriptor)
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def private_file(path: str, flags: int) -> IO[bytes]:
    """`open_private` as a file object."""
    return os.fdopen(open_private(path, flags), "wb")


def open_to_read(path: str) -> int:
    """Open a file of the state directory that is there; otherwise as `open_private`."""
    return _no_stranger(path, os.open(path, os.O_RDONLY | _PLAIN))


def read_text(path: str) -> str | None:
    """Return the text of a file, or None when it is not there."""
    try:
        descriptor = open_to_read(path)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read().decode(errors="replace")

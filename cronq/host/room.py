"""How much may still be written at a place: what the file system has left, and what the user's quota has."""

from __future__ import annotations

import os
import struct
import sys

from cronq.host.process import HAS_OWNERS
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LITTLE_MB = 50.0  # a busy queue's write-ahead log and a day's logs
LITTLE_FILES = 200

_GET_QUOTA = 0x800007 << 8  # quotactl(2): QCMD(Q_GETQUOTA, USRQUOTA); a group's is one more
_QUOTA = struct.Struct("=QQQQQQQQI4x")  # struct dqblk: hard, soft (KiB), used bytes; the same of files; times
_QUOTACTL_FD = 443  # since Linux 5.14, of every architecture that Python has wheels for: needs no path of a device


class Room(NamedTuple):
    """What is left for us of `what`: MiB and files; None for what is not bounded."""

    what: str
    mb: float | None
    files: int | None

    @property
    def is_little(self) -> bool:
        return (self.mb is not None and self.mb < LITTLE_MB) or (self.files is not None and self.files < LITTLE_FILES)


def rooms(path: str) -> list[Room]:
    """Return what bounds how much may be written below the directory `path`. Raises OSError."""
    return [*_of_file_system(path), *(_of_quotas(path) if sys.platform == "linux" and HAS_OWNERS else ())]


def _of_file_system(path: str) -> Iterator[Room]:
    if hasattr(os, "statvfs"):
        found = os.statvfs(path)
        files = found.f_favail if found.f_files else None
        yield Room("the disk", found.f_bavail * found.f_frsize / 1048576, files)


def _of_quotas(path: str) -> Iterator[Room]:
    """Return what is left of the quotas of our user and group, where the kernel keeps any and tells us."""
    ids = (("your quota", os.geteuid()), ("the quota of your group", os.getegid()))
    for kind, (what, owner) in enumerate(ids):
        answer = _asked(path, _GET_QUOTA + kind, owner)
        room = None if answer is None else left(what, answer)
        if room is not None:
            yield room


def left(what: str, answer: bytes) -> Room | None:
    """Return what the kernel's answer says is left; None when it bounds nothing. A soft bound holds after a grace."""
    hard_kb, soft_kb, used, hard_files, soft_files, used_files, *_ = _QUOTA.unpack(answer)
    most_kb, most_files = _bound(hard_kb, soft_kb), _bound(hard_files, soft_files)
    if most_kb is None and most_files is None:
        return None
    mb = None if most_kb is None else max(0.0, most_kb / 1024 - used / 1048576)
    return Room(what, mb, None if most_files is None else max(0, most_files - used_files))


def _bound(hard: int, soft: int) -> int | None:
    return min((bound for bound in (hard, soft) if bound), default=None)


def _asked(path: str, command: int, owner: int) -> bytes | None:
    """Ask the kernel for a quota: by a descriptor, or by the path of the device where it is older than that."""
    try:
        import ctypes  # 2 ms, which no idle tick pays
    except ImportError:  # a Python that was built without libffi
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    answer = ctypes.create_string_buffer(_QUOTA.size)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if libc.syscall(_QUOTACTL_FD, descriptor, command, owner, answer) == 0:
            return answer.raw
    finally:
        os.close(descriptor)
    device = _device_of(path)
    asks = device is not None and hasattr(libc, "quotactl")
    return answer.raw if asks and libc.quotactl(command, os.fsencode(device or ""), owner, answer) == 0 else None


def _device_of(path: str) -> str | None:
    """Return the path of the device that the file system of `path` is on (proc_pid_mountinfo(5))."""
    number = os.stat(path).st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            mount, _, rest = line.partition(" - ")
            if mount.split(" ", 3)[2] == wanted:
                return rest.split(" ")[1]
    return None

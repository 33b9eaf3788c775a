"""Which file system a path is on, and whether SQLite's write-ahead log may be used there.

WAL needs shared memory between all processes that use the database, so it is wrong on any network file system
(sqlite.org/wal.html, "All processes using a database must be on the same host computer").
"""

from __future__ import annotations

import os
import sys

_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "ufs"}
    | {"overlay", "overlayfs", "aufs", "tmpfs", "ramfs", "simfs", "vzfs"}  # containers
)


_BY_MAGIC = {  # statfs(2), linux/magic.h; of those that one number stands for, the newest
    0xEF53: "ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0x2FC12FC1: "zfs",
    0xF2F52010: "f2fs",
    0x3153464A: "jfs",
    0x52654973: "reiserfs",
    0xCA451A4E: "bcachefs",
    0x00011954: "ufs",
    0x794C7630: "overlay",
    0x61756673: "aufs",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x6969: "nfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x65735546: "fuse",
    0x01021997: "9p",
    0x00C36400: "ceph",
    0x0BD00BD0: "lustre",
}


def type_of(path: str, mountinfo: str = "/proc/self/mountinfo") -> str:
    """Return the type of the file system that holds `path`; "unknown" when it cannot be told.

    The mounts that the process sees say it best (proc(5)): they tell apart what all goes by FUSE. In a chroot that is
    no mount itself they lack `/`; then the kernel is asked for the number of the type.
    """
    found = _by_mounts(os.path.realpath(path), mountinfo)
    return _by_number(path) if found == "unknown" else found


def is_local(file_system: str) -> bool:
    """Tell whether a file system type is known to live on this host. What is not known counts as remote."""
    return file_system in _LOCAL


def _by_mounts(real: str, mountinfo: str) -> str:
    best, found = "", "unknown"
    try:
        with open(mountinfo, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                fields, _, rest = line.partition(" - ")
                mount_point = _unescape(fields.split(" ")[4])
                if len(mount_point) >= len(best) and _lies_below(real, mount_point):
                    best, found = mount_point, rest.split(" ")[0]
    except (OSError, IndexError):
        return "unknown"
    return found


def _by_number(path: str) -> str:
    """Ask statfs(2) through the C library, for Python's statvfs() leaves the type out: its first field, a long."""
    if sys.platform != "linux":
        return "unknown"
    try:
        import ctypes  # 8 ms that nobody pays whose mounts are seen

        answer = ctypes.create_string_buffer(512)  # more than the struct has anywhere
        if ctypes.CDLL(None).statfs(os.fsencode(path), answer) != 0:
            return "unknown"
        magic = ctypes.c_ulong.from_buffer(answer).value
    except (ImportError, OSError, AttributeError):  # a Python or a C library without it
        return "unknown"
    return _BY_MAGIC.get(magic & 0xFFFFFFFF, "unknown")


def _lies_below(path: str, mount_point: str) -> bool:
    return path == mount_point or path.startswith(mount_point.rstrip("/") + "/")


def _unescape(text: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, character)
    return text

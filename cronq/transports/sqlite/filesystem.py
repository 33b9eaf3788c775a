"""Which file system a path is on, and whether SQLite's write-ahead log may be used there.

WAL needs shared memory between all processes that use the database, so it is wrong on any network file system
(sqlite.org/wal.html, "All processes using a database must be on the same host computer").
"""

from __future__ import annotations

import os

_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "ufs"}
    | {"overlay", "overlayfs", "aufs", "tmpfs", "ramfs", "simfs", "vzfs"}  # containers
)


def type_of(path: str, mountinfo: str = "/proc/self/mountinfo") -> str:
    """Return the type of the file system that holds `path` (proc(5), mountinfo); "unknown" when it cannot be told."""
    real = os.path.realpath(path)
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


def is_local(file_system: str) -> bool:
    """Tell whether a file system type is known to live on this host. What is not known counts as remote."""
    return file_system in _LOCAL


def _lies_below(path: str, mount_point: str) -> bool:
    return path == mount_point or path.startswith(mount_point.rstrip("/") + "/")


def _unescape(text: str) -> str:
    for code, character in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        text = text.replace(code, character)
    return text

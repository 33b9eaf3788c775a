"""How much memory the processes of a control group may have, and how many the kernel had to kill for lack of it.

Version 2 or 1 (cgroups(7)); where a host shows none, as CloudLinux does, nothing is known.
"""

from __future__ import annotations

import os

ROOT = "/sys/fs/cgroup"
_NO_LIMIT_MB = 2**42  # version 1 writes a number near 2**63 bytes for "none"


def own_group() -> str:
    """Return the directory of this process's control group, empty when none can be read."""
    return next((path for path in _places() if os.path.isdir(path)), "")


def limit_mb(group: str) -> float | None:
    """Return the smallest memory limit of a control group and those around it, in MiB; None without one."""
    found = []
    while group.startswith(ROOT):
        text = _read(group, "memory.max", "memory.limit_in_bytes")
        if text.isdecimal() and int(text) / 1048576 < _NO_LIMIT_MB:
            found.append(int(text) / 1048576)
        group = os.path.dirname(group)
    return min(found, default=None)


def oom_kills(group: str) -> int:
    """Return how many processes of a control group the kernel has killed for lack of memory; 0 when unknown."""
    for line in _read(group, "memory.events", "memory.oom_control").splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.isdecimal():
            return int(count)
    return 0


def _read(group: str, v2: str, v1: str) -> str:
    for name in (v2, v1):
        try:
            with open(f"{group}/{name}", encoding="ascii") as file:
                return file.read().strip()
        except (OSError, ValueError):
            continue
    return ""


def _places() -> list[str]:
    """Return where the own group may be. A container sees it as the root of the mounted tree."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8", errors="replace") as file:
            lines = [line.strip().split(":", 2) for line in file]
    except OSError:
        return []
    places: list[str] = []
    for _number, controllers, path in (line for line in lines if len(line) == 3):
        if "memory" in controllers.split(","):
            places = [f"{ROOT}/memory{path}", f"{ROOT}/memory", *places]
        elif not controllers:
            places += [f"{ROOT}{path}".rstrip("/"), ROOT]
    return places

"""Killing a process in the middle of its n-th system call of a kind: strace(1) with `-e inject=...:signal=KILL`.

The kill comes before the call takes effect, so killing at every call one after the other leaves behind every state
that a process which is killed can leave behind in its files and locks.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

LEAVES_A_TRACE = (
    *("write", "pwrite64", "writev", "ftruncate", "fallocate", "fsync", "fdatasync", "rename", "renameat", "renameat2"),
    *("unlink", "unlinkat", "mkdir", "mknodat", "mknod", "chmod", "utimensat", "fcntl", "flock", "openat"),
    *("fork", "vfork", "clone", "clone3"),
)
_ONLY_WITH = {"fcntl": ("F_SETLK", "F_SETLKW", "F_OFD_SETLK"), "openat": ("O_CREAT",)}
ENDED = (0, -signal.SIGTERM)
"""A successor's SIGTERM may come when all is done and Python, which is ending, no longer listens."""
_CALL = re.compile(r"^(\w+)\((.*)")


class Point(NamedTuple):
    """The n-th call (from 1) of one kind that a process makes."""

    syscall: str
    n: int


def what_is_missing() -> str | None:
    """Say in one line why nothing can be killed by strace here; None when it can."""
    if shutil.which("strace") is None:
        return "needs strace: apt-get install strace (.ci/run does)"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()}"


def points_of(command: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> list[Point]:
    """Run a command to its end and return every point at which it could be killed, in order.

    Of fcntl(2) only what takes or gives back a lock, of openat(2) only what may make a file. What children do is
    not counted.
    """
    traced = ["strace", "-o", str(log), "-e", f"trace={','.join(LEAVES_A_TRACE)}", *command]
    done = subprocess.run(traced, cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode in ENDED, done.stderr
    seen: dict[str, int] = {}
    points = []
    for syscall, arguments in _calls(log):
        seen[syscall] = seen.get(syscall, 0) + 1
        if any(word in arguments for word in _ONLY_WITH.get(syscall, ("",))):
            points.append(Point(syscall, seen[syscall]))
    return points


def _calls(log: Path) -> list[tuple[str, str]]:
    found = map(_CALL.match, log.read_text().splitlines())
    return [(call[1], call[2]) for call in found if call]


def run_and_kill_at(point: Point, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> bool:
    """Run a command and kill it at a point. False: it ended without having come there."""
    inject = f"inject={point.syscall}:signal=KILL:when={point.n}"
    traced = ["strace", "-o", "/dev/null", "-e", f"trace={point.syscall}", "-e", inject, *command]
    done = subprocess.run(traced, cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=600)
    assert done.returncode in {*ENDED, -signal.SIGKILL}, f"{point}: exit code {done.returncode}: {done.stderr}"
    return done.returncode == -signal.SIGKILL

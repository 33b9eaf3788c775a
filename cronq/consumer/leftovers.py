"""Threads and child processes that a task leaves behind: they stay with the consumer, uncounted and unwatched."""

from __future__ import annotations

import os
import sys

from cronq.namedtuple import NamedTuple


class Around(NamedTuple):
    """What ran beside the consumer's own thread at one moment."""

    threads: frozenset[str]
    children: bool


class Leftovers:
    """Looks before and after the 1st, 2nd, 4th, 8th ... run of every task, and reports each task once at most."""

    def __init__(self) -> None:
        self._runs: dict[str, int] = {}
        self._reported: set[str] = set()

    def is_due(self, task: str) -> bool:
        """Count a run of `task` and tell whether to look around it."""
        runs = self._runs[task] = self._runs.get(task, 0) + 1
        return runs & (runs - 1) == 0 and task not in self._reported

    def found(self, task: str, before: Around) -> str | None:
        """Return in words what is there now and was not before, if anything."""
        words = _words(before, look())
        return self.report(task, words) if words else None

    def report(self, task: str, words: str) -> str | None:
        """Return `words` for a task that has not been reported yet."""
        if task in self._reported:
            return None
        self._reported.add(task)
        return words


def look() -> Around:
    """Return what runs now; a lookup, and one system call."""
    threading = sys.modules.get("threading")
    others = () if threading is None else (one for one in threading.enumerate() if one != threading.main_thread())
    return Around(frozenset(one.name for one in others), _has_children())


def _has_children() -> bool:
    """Tell whether this process has children, dead ones that nobody waited for included."""
    if not hasattr(os, "waitid"):
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _words(before: Around, after: Around) -> str | None:
    new = sorted(after.threads - before.threads)
    parts = [f"a thread ({name})" for name in new]
    if after.children and not before.children:
        parts.append("a child process")
    return " and ".join(parts) or None

"""What is kept of a chaos, outside the disk that fails, for whoever has to find the cause of a fault."""

from __future__ import annotations

import os
import re
import shutil
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

_KILLED_BY_TICK = re.compile(rb" sent SIGKILL to [^/\s]+/[^/\s]+/(\d+)/")


class Diary:
    """What the harness has done, by real time: faults, starts, kills."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)

    def note(self, *words: object) -> None:
        now = time.time()
        stamp = time.strftime("%H:%M:%S", time.gmtime(now))
        print(f"{stamp}.{int(now % 1 * 1000):03}", *words, file=self._file)


class LogCopy:
    """The event log of the whole run: cronq itself keeps the last of it only."""

    def __init__(self, log: Path, copy: Path) -> None:
        self._log = log
        self._file: BufferedReader | None = None
        self._copy = copy.open("ab", buffering=0)
        self._half_a_line = b""

    def follow(self) -> list[int]:
        """Copy what is new, and return whom ticks have killed since the last time, as they were overdue.

        To be called often enough that the log is renamed once in between at most.
        """
        new = b"" if self._file is None else self._file.read()
        if self._is_renamed():
            if self._file is not None:
                self._file.close()
            self._file = self._log.open("rb")
            new += self._file.read()
        self._copy.write(new)
        whole, end, self._half_a_line = (self._half_a_line + new).rpartition(b"\n")
        return [int(pid) for pid in _KILLED_BY_TICK.findall(whole + end)]

    def _is_renamed(self) -> bool:
        """Tell whether there is another log at its path than the one we read, whose inode is not reused: it is open."""
        try:
            there = self._log.stat().st_ino
        except FileNotFoundError:
            return False
        return self._file is None or there != os.fstat(self._file.fileno()).st_ino

    def close(self) -> None:
        self._copy.close()
        if self._file is not None:
            self._file.close()


def keep(state: Path, where: Path) -> None:
    """Copy logs, notes and the database; not the FIFOs, which would never end."""
    if state.exists():
        shutil.copytree(state, where, ignore=shutil.ignore_patterns("wake"))

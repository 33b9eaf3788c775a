"""Waiting for what another process does: on a condition, never for a length of time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(condition: Callable[[], T | Literal[False] | None], timeout_s: float = 60) -> T:
    """Return the first true value of `condition`; fail when there is none in time."""
    last = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < last, f"{condition} was not met within {timeout_s} s"
        time.sleep(0.005)
    return value


def has_ended(pid: int) -> bool:
    """Tell whether a process is over: a zombie, or reaped (proc(5), stat field 3). Then its locks are free as well.

    `start_of` says so a moment earlier, of a process that runs no more while the kernel takes it apart.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in {b"Z", b"X"}
    except (FileNotFoundError, ProcessLookupError):
        return True

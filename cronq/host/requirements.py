"""Saying what consumers need of a system where it is not there: on a laptop with Windows or macOS.

Declaring tasks, enqueueing, `sync://`, `memory://`, boxes and a queue in SQLite need none of it.
"""

from __future__ import annotations

import sys

from cronq.errors import UsageError

_SYSTEMS = {"win32": "Windows", "darwin": "macOS"}


def no_consumers(command: str) -> UsageError:
    """Return the refusal of a command where no consumers can live (HAS_CONSUMERS), with what can be done there."""
    here = _SYSTEMS.get(sys.platform, f"a {sys.platform} without them")
    return UsageError(
        f"cronq {command} needs Linux, whose fork, file locks, epoll and /proc consumers live by, and this is {here}: "
        f"`cronq run TASK` runs a task here, and with CRONQ_DEV=1 the web server's process does all the work"
    )

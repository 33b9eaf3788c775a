"""Time as an argument: everything that asks for the time is handed a Clock."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # the tick does without typing


class Clock(Protocol):
    """Two kinds of time. Deadlines use `monotonic`, because the wall clock of a host may jump."""

    def now(self) -> float:
        """Return wall time, seconds since the epoch: what is stored and shown."""

    def monotonic(self) -> float:
        """Return seconds since boot. On Linux all processes of a host share this clock."""


class SystemClock:
    """The clocks of the operating system."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

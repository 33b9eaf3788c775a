"""Message ids: UUID version 7 (RFC 9562), so that ids sort by time and reveal when a message was enqueued."""

from __future__ import annotations

import os
import time

DIGITS = 32

_last_ms_and_count = 0


def new_id() -> str:
    """Return 32 hexadecimal digits: 48 bits of milliseconds, version 7, a 12-bit counter, variant 2, 60 random bits.

    Ids of one process rise strictly, also within a millisecond and when the clock steps back
    (RFC 9562 section 6.2, method 1): a queue keeps its order.
    """
    global _last_ms_and_count  # noqa: PLW0603 - the counter is what makes ids of one process rise
    ms_and_count = time.time_ns() // 1_000_000 << 12
    if ms_and_count <= _last_ms_and_count:
        ms_and_count = _last_ms_and_count + 1
    _last_ms_and_count = ms_and_count
    digits = f"{ms_and_count:015x}"
    return f"{digits[:12]}7{digits[12:]}8{os.urandom(8).hex()[1:]}"


def enqueued_at(message_id: str) -> float:
    """Return the wall time in seconds, to the millisecond, at which the id was made."""
    return int(message_id[:12], 16) / 1000


def first_digits(wall: float) -> str:
    """Return with what the ids begin that are made at a time, to the millisecond."""
    return f"{int(wall * 1000):012x}"

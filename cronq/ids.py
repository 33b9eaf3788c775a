"""Message ids: UUID version 7 (RFC 9562), so that ids sort by time and reveal when a message was enqueued."""

from __future__ import annotations

import os
import time

_VERSION_7 = 0x7 << 76
_VARIANT = 0x2 << 62
_last_ms_and_count = 0


def new_id() -> str:
    """Return 32 hexadecimal digits: 48 bits of milliseconds, a 12-bit counter, 62 random bits.

    Ids of one process rise strictly, also within a millisecond and when the clock steps back
    (RFC 9562 section 6.2, method 1): a queue keeps its order.
    """
    global _last_ms_and_count  # noqa: PLW0603 - the counter is what makes ids of one process rise
    ms_and_count = max((time.time_ns() // 1_000_000) << 12, _last_ms_and_count + 1)
    _last_ms_and_count = ms_and_count
    ms, count = ms_and_count >> 12, ms_and_count & 0xFFF
    random_bits = int.from_bytes(os.urandom(8), "big") >> 2
    return f"{ms << 80 | _VERSION_7 | count << 64 | _VARIANT | random_bits:032x}"


def enqueued_at(message_id: str) -> float:
    """Return the wall time in seconds, to the millisecond, at which the id was made."""
    return int(message_id[:12], 16) / 1000

"""Looking again and again, for those who wait in a script, a command or a test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.005, 0.25


def looks(timeout_s: float) -> Iterator[None]:
    """Come back whenever it is time to look, rarer and rarer, until `timeout_s` seconds are over: once at least."""
    ends_at = time.monotonic() + timeout_s
    pause_s = _FIRST_PAUSE_S
    while True:
        yield
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            return
        time.sleep(min(pause_s, left_s))
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

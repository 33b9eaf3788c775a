"""Waiting on conditions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0, every_s: float = 0.01) -> None:
    """Return when `condition` holds. Raises TimeoutError when it does not in time."""
    last = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > last:
            raise TimeoutError(f"waited {timeout_s} s for {condition}")
        time.sleep(every_s)

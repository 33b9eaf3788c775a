"""Waiting for what another process does: on a condition, never for a length of time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout_s: float = 10) -> T:
    """Return the first true value of `condition`; fail when there is none in time."""
    last = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < last, f"{condition} was not met within {timeout_s} s"
        time.sleep(0.005)
    return value

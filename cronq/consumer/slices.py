"""When a task that looks at `context.should_stop` should end its slice: early enough to end it in time. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.clock import Clock

MARGIN = 0.1  # of the time there is, kept for what comes after the last look
MOST_MARGIN_S = 5.0


def last_look(deadline: float, now: float) -> float:
    """Return when slices should end that began now or later and may last until `deadline` (monotonic seconds).

    Of a process that is told once, when it begins: the rest must not be cut into slices that get ever shorter.
    """
    return deadline - min(MOST_MARGIN_S, max(0.0, MARGIN * (deadline - now)))


def ending_in_time(asked: Callable[[], bool], stop_at: float | None, clock: Clock) -> Callable[[], bool]:
    """Return whether to stop: when `asked`, or from `stop_at` (monotonic seconds) on."""
    if stop_at is None:
        return asked
    return lambda: clock.monotonic() >= stop_at or asked()

"""What an idle consumer does between two looks at its queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.clock import Clock
    from cronq.host.bell import Bells


class NoRest:
    """For a consumer that never waits: it leaves when nothing is ready."""

    def until_work(self, has_work: Callable[[], bool], next_at: Callable[[], float | None]) -> bool:
        """Do not wait for work."""
        return False

    def briefly(self, seconds: float) -> None:
        """Do not wait for better times."""

    def pass_on(self) -> None:
        """Wake nobody."""


class Rest:
    """Sleeps until a bell rings, at most until the next thing that is known to come.

    The order is what loses no wake-up: forget old rings, look at the queues once more, then sleep.
    `leaves_at` tells when there may be a reason to leave (monotonic seconds), `errand_at` when something else is to be
    done (wall seconds), None when nothing is.
    """

    def __init__(
        self,
        bells: Bells,
        clock: Clock,
        sleep_s: float,
        leaves_at: Callable[[], float | None] = lambda: None,
        errand_at: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._bells = bells
        self._clock = clock
        self._sleep_s = sleep_s
        self._leaves_at = leaves_at
        self._errand_at = errand_at

    def until_work(self, has_work: Callable[[], bool], next_at: Callable[[], float | None]) -> bool:
        """Return when there is work (True: seen, or announced by a bell), or when it is time to look again."""
        self._bells.drain()
        return has_work() or self._bells.wait(self._bound_s(next_at(), self._errand_at()))

    def briefly(self, seconds: float) -> None:
        """Wait for better times, not past a reason to leave."""
        self._bells.drain()
        self._bells.wait(min(seconds, self._bound_s()))

    def pass_on(self) -> None:
        """Wake another consumer: there is more than this one has taken."""
        self._bells.ring()

    def _bound_s(self, *comes_at: float | None) -> float:
        bounds = [self._sleep_s]
        leaves_at = self._leaves_at()
        if leaves_at is not None:
            bounds.append(leaves_at - self._clock.monotonic())
        bounds += [at - self._clock.now() for at in comes_at if at is not None]
        return max(0.0, min(bounds))

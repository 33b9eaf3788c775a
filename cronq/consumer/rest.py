"""What an idle consumer does between two looks at its queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.clock import Clock


class Bells(Protocol):
    def drain(self) -> None: ...
    def wait(self, at_most_s: float) -> bool: ...
    def ring(self) -> None: ...


class NoRest:
    """For a consumer that never waits: it leaves when nothing is ready."""

    def until_work(self, has_work: Callable[[], bool], next_at: Callable[[], float | None]) -> None:
        """Do not wait for work."""

    def briefly(self, seconds: float) -> None:
        """Do not wait for better times."""

    def pass_on(self) -> None:
        """Wake nobody."""


class Rest:
    """Sleeps until a bell rings, at most until the next thing that is known to come.

    The order is what loses no wake-up: forget old rings, look at the queues once more, then sleep.
    """

    def __init__(self, bells: Bells, clock: Clock, sleep_s: float, deadline: float | None) -> None:
        self._bells = bells
        self._clock = clock
        self._sleep_s = sleep_s
        self._deadline = deadline

    def until_work(self, has_work: Callable[[], bool], next_at: Callable[[], float | None]) -> None:
        """Return when there may be work, or when it is time to look again."""
        self._bells.drain()
        if has_work():
            return
        self._bells.wait(self._bound_s(next_at()))

    def briefly(self, seconds: float) -> None:
        """Wait for better times, not past the deadline."""
        self._bells.drain()
        self._bells.wait(min(seconds, self._bound_s(None)))

    def pass_on(self) -> None:
        """Wake another consumer: there is more than this one has taken."""
        self._bells.ring()

    def _bound_s(self, next_at: float | None) -> float:
        bounds = [self._sleep_s]
        if self._deadline is not None:
            bounds.append(self._deadline - self._clock.monotonic())
        if next_at is not None:
            bounds.append(next_at - self._clock.now())
        return max(0.0, min(bounds))

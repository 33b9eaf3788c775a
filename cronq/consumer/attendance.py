"""What a consumer tells the outside while it works: alive marks, and that there is more to do than it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.errors import CronqError
from cronq.events import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.clock import Clock

MARK_EVERY_S = 1.0
CALL_EVERY_S = 5.0


class Attendance:
    """Called whenever the consumer looks at its queues; acts rarely.

    `touch` refreshes the alive marks; `call_for_help` looks whether the backlog deserves more consumers.
    """

    def __init__(self, touch: Callable[[], None], call_for_help: Callable[[], None], clock: Clock) -> None:
        self._touch = touch
        self._call_for_help = call_for_help
        self._clock = clock
        self._next_mark = 0.0
        self._next_call = 0.0

    def looked(self, busy: bool) -> None:
        now = self._clock.monotonic()
        if now >= self._next_mark:
            self._next_mark = now + MARK_EVERY_S
            self._quietly(self._touch)
        if busy and now >= self._next_call:
            self._next_call = now + CALL_EVERY_S
            self._quietly(self._call_for_help)

    def _quietly(self, act: Callable[[], None]) -> None:
        """A full disk or a refused process must not stop the messages that can still be run."""
        try:
            act()
        except (CronqError, OSError) as error:
            emit("trouble", error=error)


def marks(paths: Sequence[str], clock: Clock) -> Callable[[], None]:
    """Return the function that touches the alive marks at `paths`."""
    from cronq.host.marks import touch

    def touch_all() -> None:
        now = clock.now()
        for path in paths:
            touch(path, now)

    return touch_all

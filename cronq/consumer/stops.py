"""Which of the messages that a consumer holds somebody wants stopped. Asked seldom, and when a signal says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.clock import Clock

LOOK_S = 0.5
GRACE_S = 5.0  # for a task that looks at `should_stop`: it may end at a good point, and keep its cursor
_AGAIN_S = 0.05


class Stops:
    """Knows whether what runs is to be stopped: every one of the messages `running`, which are one call.

    `ask` returns all messages that are to be stopped, of those held.
    `is_busy` tells whether asking has to wait: in a signal handler, a transaction of ours may be going on. A task that
    looks is also told when the whole consumer is to leave, which `is_leaving` tells.
    """

    def __init__(
        self,
        clock: Clock,
        ask: Callable[[], Sequence[str]] = lambda: (),
        is_busy: Callable[[], bool] = lambda: False,
        is_leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self.running: Sequence[str] = ()
        self._asked: frozenset[str] = frozenset()
        self._clock = clock
        self._ask = ask
        self._is_busy = is_busy
        self.is_leaving = is_leaving
        self._next_look = 0.0
        self._looked: Sequence[str] = ()
        self._grace: tuple[Sequence[str], float] | None = None

    def is_asked(self) -> bool:
        """Tell whether somebody wants the running call stopped; looked up twice a second at most."""
        if self._clock.monotonic() >= self._next_look:
            self._look()
        return self.is_known()

    def wants(self, message_id: str) -> bool:
        """Tell whether a message that is about to run was to be stopped when others were asked for, and still is."""
        return message_id in self._asked and self._look() and message_id in self._asked

    def is_known(self) -> bool:
        """Tell whether the running call is known to be stopped, without looking."""
        return bool(self.running) and self._asked.issuperset(self.running)

    def task_asks(self) -> bool:
        """Tell a task whether to stop: somebody wants that, or its consumer leaves. It is not interrupted at once."""
        self._looked = self.running
        return self.is_asked() or self.is_leaving()

    def due_in(self) -> float | None:
        """Return in how many seconds the running call is to be interrupted, None for not at all. Ask again then."""
        try:
            if self._is_busy():
                return _AGAIN_S
        except TransportError:
            return LOOK_S
        if not self._look():
            return LOOK_S
        if not self.is_known():
            return None
        return self._grace_left_s(self.running) if self._looked == self.running else 0.0

    def _grace_left_s(self, running: Sequence[str]) -> float:
        now = self._clock.monotonic()
        if self._grace is None or self._grace[0] != running:
            self._grace = running, now + GRACE_S
        return max(0.0, self._grace[1] - now)

    def _look(self) -> bool:
        self._next_look = self._clock.monotonic() + LOOK_S
        try:
            self._asked = frozenset(self._ask())
        except TransportError:  # the consumer meets it as well, and bears it better
            return False
        return True

"""What a box for tests works with: a transport that remembers, and a clock that can be moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.transports.base import do_nothing
from cronq.transports.memory.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.clock import Clock
    from cronq.messages.message import Message, Outcome
    from cronq.transports.abilities.queues import Shown
    from cronq.transports.exchange import Exchange, Want


class MovableClock:
    """Another clock (frozen or not), and so many seconds later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.ahead_s: float = 0.0

    def now(self) -> float:
        return self._clock.now() + self.ahead_s

    def monotonic(self) -> float:
        return self._clock.monotonic() + self.ahead_s


class RecordingTransport(MemoryTransport):
    """Keeps messages in memory, and remembers every one it ever had, as it was last."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._now = clock.now
        self.recorded: dict[str, tuple[Message, float]] = {}

    def enqueue(self, messages: Sequence[Message], shown: Shown = do_nothing) -> Mapping[str, str]:
        with self._guard:
            absorbed = super().enqueue(messages, shown)
            now = self._now()
            for message in messages:
                stored = self.find(message.id)
                if stored is not None:  # one that was dropped for a unique key was never in a queue
                    self.recorded[message.id] = (stored.message, now)
        return absorbed

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        exchange = super().exchange(holder, outcomes, want)
        for message in exchange.messages:
            if message.attempt == 1 and message.id in self.recorded:  # its arguments may have been replaced meanwhile
                self.recorded[message.id] = (message, self.recorded[message.id][1])
        return exchange

"""What a consumer has done so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.message import Ack, Continue

if TYPE_CHECKING:
    from cronq.clock import Clock
    from cronq.messages.message import Outcome


class Tally:
    """Counts messages and failures. `idle_since` is in monotonic seconds, None while it has work.

    So is `sliced_at`: when the last slice of a message that goes on ended.
    """

    __slots__ = ("failures", "idle_since", "messages", "sliced_at")

    def __init__(self) -> None:
        self.messages: int = 0
        self.failures: int = 0
        self.idle_since: float | None = None
        self.sliced_at: float | None = None

    def count(self, outcome: Outcome, clock: Clock) -> None:
        """Take in how a message ended."""
        self.messages += 1
        if isinstance(outcome, Ack):
            return
        if isinstance(outcome, Continue):
            self.sliced_at = clock.monotonic()
        else:
            self.failures += 1

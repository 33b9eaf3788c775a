"""When a consumer has done enough. One small object per limit; the loop only asks `reason()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cronq.consumer.slices import last_look
from cronq.messages.message import Ack, Continue
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.clock import Clock
    from cronq.messages.message import Outcome

MEMORY_LOOK_S = 0.2


class Tally:
    """What a consumer has done so far. `idle_since` is in monotonic seconds, None while it has work.

    So is `sliced_at`: when the last slice of a message that goes on ended.
    """

    __slots__ = ("failures", "idle_since", "messages", "sliced_at")

    def __init__(self) -> None:
        self.messages = 0
        self.failures = 0
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


class Limit(Protocol):
    def reason(self, tally: Tally) -> str | None:
        """Say why the consumer should leave now; None to go on."""


class MessageLimit(NamedTuple):
    """Leave after so many messages: what leaks goes with the process."""

    most: int

    def reason(self, tally: Tally) -> str | None:
        return f"{self.most} messages run" if tally.messages >= self.most else None


class FailureLimit(NamedTuple):
    """Leave after so many failed attempts: something around the tasks may be broken."""

    most: int

    def reason(self, tally: Tally) -> str | None:
        return f"{self.most} attempts failed" if tally.failures >= self.most else None


class TimeLimit:
    """Leave at `deadline`, in monotonic seconds; before it, when a slice has ended and the next would be too short."""

    def __init__(self, deadline: float, clock: Clock) -> None:
        self.deadline = deadline
        self._clock = clock
        self._last_look = last_look(deadline, clock.monotonic())

    def reason(self, tally: Tally) -> str | None:
        if self._clock.monotonic() >= self.deadline:
            return "time limit reached"
        if tally.sliced_at is not None and tally.sliced_at >= self._last_look:
            return "time limit nearly reached: no time for another slice"
        return None


class MemoryLimit:
    """Leave when the process has grown past `most_mb` of resident memory; looked at a few times a second."""

    def __init__(self, most_mb: float, memory_mb: Callable[[], float], clock: Clock) -> None:
        self._most_mb = most_mb
        self._memory_mb = memory_mb
        self._clock = clock
        self._next_look = clock.monotonic()

    def reason(self, tally: Tally) -> str | None:
        if self._clock.monotonic() < self._next_look:
            return None
        self._next_look = self._clock.monotonic() + MEMORY_LOOK_S
        used = self._memory_mb()
        return f"memory limit reached ({used:.0f} of {self._most_mb:.0f} MB)" if used >= self._most_mb else None


class IdleLimit:
    """Leave after `most_s` without work when the place is wanted by others."""

    def __init__(self, most_s: float, is_wanted: Callable[[], bool], clock: Clock) -> None:
        self._most_s = most_s
        self._is_wanted = is_wanted
        self._clock = clock

    def reason(self, tally: Tally) -> str | None:
        if tally.idle_since is None or self._clock.monotonic() - tally.idle_since < self._most_s:
            return None
        return "idle, and every place of the account is taken" if self._is_wanted() else None

"""What happens after a failed attempt: a pure decision."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from cronq.errors import GiveUp, RetryLater


class Again(NamedTuple):
    """Try once more, after `delay_s` seconds."""

    delay_s: float


class Stop(NamedTuple):
    """No further attempt."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Up to `max_attempts` attempts (0: without end), waiting longer each time.

    The wait after attempt n is `delay_s * multiplier ** (n - 1)`, at most `max_delay_s`, spread by +-`jitter` of
    itself: `Retry(5, delay_s=10)` waits about 10, 20, 40 and 80 seconds.

    Raises ValueError for a policy that cannot be meant.
    """

    max_attempts: int = 3
    delay_s: float = 1.0
    multiplier: float = 2.0
    max_delay_s: float = 3600.0
    jitter: float = 0.1

    def __post_init__(self) -> None:
        for name, lowest, highest in _BOUNDS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
                raise ValueError(f"Retry: {name} = {value!r}: must be a number from {lowest} to {highest}")
        if not isinstance(self.max_attempts, int):
            raise ValueError(f"Retry: max_attempts = {self.max_attempts!r}: must be a whole number")

    def decide(self, attempt: int, error: BaseException, spread: float | None = None) -> Again | Stop:
        """Say what follows attempt number `attempt` (from 1) that ended in `error`.

        `spread` from 0 to 1 places the wait within its jitter; drawn at random when None.
        """
        if isinstance(error, GiveUp):
            return Stop()
        if isinstance(error, RetryLater) and error.delay_s is not None:
            return Again(error.delay_s) if self._allows(attempt) else Stop()
        if not self._allows(attempt):
            return Stop()
        drawn = random.random() if spread is None else spread  # noqa: S311 - jitter, not a secret
        return Again(self._delay_s(attempt) * (1 + self.jitter * (2 * drawn - 1)))

    def _allows(self, attempt: int) -> bool:
        return self.max_attempts == 0 or attempt < self.max_attempts

    def _delay_s(self, attempt: int) -> float:
        growth = float(self.multiplier) ** min(attempt - 1, 64)
        return min(self.delay_s * growth, self.max_delay_s)


_DAY_S = 86400
_BOUNDS = (
    ("max_attempts", 0, 1_000_000),
    ("delay_s", 0, 365 * _DAY_S),
    ("multiplier", 1, 100),
    ("max_delay_s", 0, 365 * _DAY_S),
    ("jitter", 0, 1),
)

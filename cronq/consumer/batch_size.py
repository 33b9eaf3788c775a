"""How many short messages to reserve at once, so that commits are few and no consumer hoards work. Pure."""

from __future__ import annotations

TARGET_S = 0.05
MOST = 1000
_WEIGHT = 0.5  # of the newest batch in the running mean


class BatchSize:
    """Grows while messages are short, at most twofold a batch, and falls to one at the first long one."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.size: int = 1
        self._mean_s: float | None = None

    def learn(self, messages: int, seconds: float) -> None:
        """Take in that a batch of `messages` took `seconds` to run; one of which none was run tells nothing."""
        if not messages:
            return
        each_s = seconds / messages
        self._mean_s = each_s if self._mean_s is None else _WEIGHT * each_s + (1 - _WEIGHT) * self._mean_s
        fitting = int(TARGET_S / max(self._mean_s, each_s, 1e-6))
        self.size = max(1, min(fitting, self.size * 2, self.most))

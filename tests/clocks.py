"""A clock that tests move by hand."""

from __future__ import annotations


class FakeClock:
    def __init__(self, now: float = 1_000_000_000.0) -> None:
        self.wall = now
        self.since_boot = 5000.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.since_boot

    def advance(self, seconds: float) -> None:
        self.wall += seconds
        self.since_boot += seconds

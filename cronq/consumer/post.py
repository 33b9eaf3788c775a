"""What a consumer needs of the place it works from: a name to reserve under, and a note that survives its death."""

from __future__ import annotations

from typing import Protocol


class Post(Protocol):
    """A slot, seen from the consumer."""

    @property
    def holder(self) -> str:
        """The name that reservations are made under."""

    def note(self, position: int, must_end: float | None = None) -> None:
        """Note that the message at `position` starts now, so that whoever comes after a kill knows what finished.

        `must_end` is the monotonic time by which it has to end; None for whenever.
        """

    def note_idle(self, position: int) -> None:
        """Note that everything before `position` is finished and nothing runs."""


class NoPost:
    """A post for work that nobody can rescue: the in-memory transports, which die with their process."""

    holder = "here"

    def note(self, position: int, must_end: float | None = None) -> None:
        """Nobody would read it."""

    def note_idle(self, position: int) -> None:
        """Nobody would read it."""

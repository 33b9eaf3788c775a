"""What people and ticks do to whole queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from cronq.messages.message import QueueCounts


@runtime_checkable
class Upkeep(Protocol):
    """Counts, pauses and empties queues, and lets go what nobody needs any more."""

    def counts(self) -> list[QueueCounts]:
        """Return how full every queue is that holds anything."""

    def glance(self) -> list[QueueCounts]:
        """Return the same in a time that does not grow with the backlog, where counting would take long.

        Numbers that are too large are cut off (`more` names them), and results (`done`) may be left out.
        """

    def waiting(self, queue: str, at_most: int) -> int:
        """Count what waits in a queue, delayed and blocked messages as well, stopping at `at_most`."""

    def stored_bytes(self) -> int:
        """Return how much room everything takes where it is kept, without what is free for new messages; 0: none."""

    def pause(self, queue: str, paused: bool) -> None:
        """Let nothing be reserved from a queue, or let it again."""

    def flush(self, queue: str) -> int:
        """Delete everything in a queue that is not reserved; return how many."""

    def prune(self, failed_keep_s: float, at_most: int) -> int:
        """Delete results and failures whose retention is over, at most so many; return how many.

        Also frees blocked messages whose reason is gone, should anything have failed to.
        """

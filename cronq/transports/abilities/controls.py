"""What people do to single messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.messages.message import State


@runtime_checkable
class Controls(Protocol):
    """Changes the course of messages that are named by their ids."""

    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        """Put failed messages back into their queues with all attempts before them; return how many.

        The first becomes available at `first_at` (now when None), each of the others `every_s` after the one before.
        """

    def amend(self, message_id: str, body: bytes, headers: bytes) -> bool:
        """Give a failed message other arguments and headers; tell whether it was one."""

    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        """Delete messages that nobody has reserved, or those in the state `only`; return how many."""

    def cancel(self, message_ids: Sequence[str]) -> int:
        """Delete messages that wait: ready, delayed or blocked; return how many."""

    def ask_to_stop(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        """Mark messages that are reserved, and return by whom, by id. The others are left alone.

        The mark (`Message.stop`) stays through releases, slices and rescues, until the message ends or is revived.
        """

    def asked_to_stop(self, holder: str) -> list[str]:
        """Return which of the messages that `holder` has reserved are marked by `ask_to_stop`, in any order."""

"""Being part of a transaction that somebody else has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.message import Message


@runtime_checkable
class SharedTransactions(Protocol):
    """Enqueues with the caller's own writes: all of them are there, or none."""

    def enqueue_in(self, connection: object, messages: Sequence[Message]) -> None:
        """Put messages into their queues inside the transaction that the caller has begun on the same database.

        Raises UsageError when it is not the same, or when there is no transaction to share.
        """

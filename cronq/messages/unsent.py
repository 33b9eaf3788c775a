"""What an enqueue raises when the store has not taken its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.message import Message


class Unsent(TransportError):
    """Messages are not in their queues: none of `messages`, which were to be put there in one transaction.

    `__cause__` is what kept them out: TransportError, or StateDirError. `app.enqueue(*error.messages)` tries again.
    """

    def __init__(self, text: str, messages: Sequence[Message] = (), *, pressure: bool = False) -> None:
        super().__init__(text, pressure=pressure)
        self.messages: tuple[Message, ...] = tuple(messages)


class QueueFull(Unsent):
    """A limit of the configuration refused messages: `max_waiting` of their queue, or `store_max_mb`."""

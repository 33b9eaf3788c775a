"""What a runner needs of an outbox: a place that holds what a running task enqueues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.message import Message


class Outbox(Protocol):
    """Open when it is handed out, until `close()`."""

    @property
    def is_open(self) -> bool:
        """Whether it still holds back what is enqueued."""

    @property
    def messages(self) -> Sequence[Message]:
        """What it holds."""

    def close(self) -> None:
        """Hold nothing back from now on."""

    def drop(self) -> None:
        """Forget the messages, with a line in the log."""


class NoOutbox:
    """Holds nothing: what a task enqueues is sent at once."""

    is_open = False
    messages: Sequence[Message] = ()

    def close(self) -> None:
        """Nothing to close."""

    def drop(self) -> None:
        """Nothing to drop."""

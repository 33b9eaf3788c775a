"""What a running task may know about its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.message import Message


class Context:
    """Handed to a task that declares a parameter of this type; never stored.

    `deadline` is in monotonic seconds (`time.monotonic()`): when the consumer's own time or the task's timeout ends.
    """

    __slots__ = ("_message", "_should_stop", "deadline")

    def __init__(self, message: Message, deadline: float | None, should_stop: Callable[[], bool]) -> None:
        self._message = message
        self._should_stop = should_stop
        self.deadline = deadline

    @property
    def message_id(self) -> str:
        return self._message.id

    @property
    def queue(self) -> str:
        return self._message.queue

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._message.attempt

    @property
    def max_attempts(self) -> int:
        """How many attempts there will be; 0: without end."""
        return self._message.max_attempts

    @property
    def headers(self) -> dict[str, str]:
        """What `before_enqueue` hooks and the caller added to the message."""
        return headers_of(self._message)

    @property
    def should_stop(self) -> bool:
        """Whether the consumer has been told to leave: a long task may stop at a good point."""
        return self._should_stop()


def headers_of(message: Message) -> dict[str, str]:
    """Return the headers of a message as a new dictionary."""
    import json

    return dict(json.loads(message.headers)) if message.headers else {}

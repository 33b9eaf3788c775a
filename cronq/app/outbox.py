"""Messages held back until the code that enqueued them has succeeded."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from cronq.events import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cronq.message import Message

_open_outbox: ContextVar[Outbox | None] = ContextVar("cronq_outbox", default=None)


class Outbox:
    """Open from its making until `close()`; what it holds is then sent or dropped by `settle()`."""

    __slots__ = ("_token", "messages", "outer", "send")

    def __init__(self, send: Callable[[list[Message]], None]) -> None:
        self.send = send
        self.outer = _open_outbox.get()
        self.messages: list[Message] = []
        self._token = _open_outbox.set(self)

    def close(self) -> None:
        """Hold nothing back from now on. An outer outbox is open again."""
        _open_outbox.reset(self._token)

    def settle(self, has_failed: bool) -> int:
        """Send all messages in one transaction, or drop them; return how many were sent.

        Inside an outer outbox they go there: it alone knows whether all went well.
        """
        if has_failed:
            self.drop()
        if self.messages and not hold(self.messages, self.send):
            self.send(self.messages)
        return len(self.messages)

    def drop(self) -> None:
        """Forget the messages, with a line in the log."""
        if self.messages:
            emit("dropped", count=len(self.messages), tasks=sorted({message.task for message in self.messages}))
            self.messages = []


def hold(messages: list[Message], send: Callable[[list[Message]], None]) -> bool:
    """Put messages into the open outbox of whoever sends them. False when none is open: send them now."""
    outbox = _open_outbox.get()
    while outbox is not None and outbox.send != send:
        outbox = outbox.outer  # that of another app, whose queues are not ours
    if outbox is None:
        return False
    outbox.messages += messages
    return True


@contextmanager
def opened(send: Callable[[list[Message]], None]) -> Iterator[Outbox]:
    """Hold messages back; send them in one transaction at the end, drop them when an exception passes."""
    outbox = Outbox(send)
    try:
        yield outbox
    except BaseException:
        outbox.drop()
        raise
    finally:
        outbox.close()
    outbox.settle(has_failed=False)

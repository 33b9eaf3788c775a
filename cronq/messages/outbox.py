"""Messages held back until the code that enqueued them has succeeded."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from cronq.events import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from cronq.messages.message import Message

HELD, DROPPED = "held", "dropped"

_open_outbox: ContextVar[Outbox | None] = ContextVar("cronq_outbox", default=None)


class Outbox:
    """Open from `open()` until `close()`; what it holds is then sent or dropped by `settle()`."""

    __slots__ = ("_token", "is_open", "messages", "send")  # and no __init__: 5 % of the WSGI hook's instructions

    def open(self, send: Callable[[list[Message]], None]) -> Self:
        """Hold back what is enqueued from now on, to send it with `send`."""
        self.send: Callable[[list[Message]], None] = send
        self.messages: list[Message] = []
        self.is_open: bool = True
        self._token = _open_outbox.set(self)
        return self

    @property
    def outer(self) -> Outbox | None:
        """The one that was open before."""
        outer = self._token.old_value
        return None if outer is Token.MISSING else outer

    def close(self) -> None:
        """Hold nothing back from now on, not even from a thread that kept our context. An outer one is open again."""
        self.is_open = False
        _open_outbox.reset(self._token)

    def settle(self, has_failed: bool) -> int:
        """Send all messages in one transaction, or drop them; return how many were sent.

        Inside an outer outbox they go there: it alone knows whether all went well.
        """
        if has_failed:
            self.drop()
        if self.messages and hold(self.messages, self.send) is None:
            self.send(self.messages)
        return len(self.messages)

    def fate(self, message_id: str) -> str | None:
        """Return what has become of a message that came in here: HELD, DROPPED, or None for sent."""
        if self.is_open:
            return HELD
        if all(message.id != message_id for message in self.messages):
            return DROPPED
        outer = self._outer_of_the_same()
        return None if outer is None else outer.fate(message_id)

    def _outer_of_the_same(self) -> Outbox | None:
        outer = self.outer
        while outer is not None and outer.send != self.send:
            outer = outer.outer
        return outer

    def drop(self) -> None:
        """Forget the messages, with a line in the log."""
        if self.messages:
            emit("dropped", count=len(self.messages), tasks=sorted({message.task for message in self.messages}))
            self.messages = []


def hold(messages: list[Message], send: Callable[[list[Message]], None]) -> Outbox | None:
    """Put messages into the open outbox of whoever sends them, and return it. None when none is open: send them now."""
    outbox = _open_outbox.get()
    while outbox is not None and (outbox.send != send or not outbox.is_open):
        outbox = outbox.outer  # that of another app, whose queues are not ours, or one that is settled
    if outbox is not None:
        outbox.messages += messages
    return outbox


@contextmanager
def opened(send: Callable[[list[Message]], None]) -> Iterator[Outbox]:
    """Hold messages back; send them in one transaction at the end, drop them when an exception passes.

    `sys.exit()` and click's `Exit` with code 0 are how a command ends well: their messages are sent.
    """
    outbox = Outbox().open(send)
    has_failed = False
    try:
        yield outbox
    except BaseException as error:
        has_failed = not _ends_well(error)
        raise
    finally:
        outbox.close()
        outbox.settle(has_failed)


def _ends_well(error: BaseException) -> bool:
    if isinstance(error, SystemExit):
        return error.code in {None, 0}
    return getattr(error, "exit_code", None) == 0  # click.exceptions.Exit


@contextmanager
def shelved() -> Iterator[None]:
    """Put the open outbox aside: what is sent meanwhile goes to its queue."""
    aside = _open_outbox.get()
    _open_outbox.set(None)
    try:
        yield
    finally:
        _open_outbox.set(aside)

"""Messages held back until the code that enqueued them has succeeded."""

from __future__ import annotations

from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from cronq.events import emit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from typing import Self

    from cronq.messages.message import Message

    Send = Callable[[list[Message]], None]

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
    outbox = _open_for(send)
    if outbox is not None:
        outbox.messages += messages
    return outbox


def _open_for(send: Send) -> Outbox | None:
    outbox = _open_outbox.get()
    while outbox is not None and (outbox.send != send or not outbox.is_open):
        outbox = outbox.outer  # that of another app, whose queues are not ours, or one that is settled
    return outbox


class Opening(ContextDecorator):
    """`with`, `async with`, or a decorator: holds messages back, and sends them in one transaction at the end.

    When an exception passes they are dropped; `sys.exit()` and click's `Exit` with code 0 are how a command ends well.
    `settled` settles an outbox where an event loop runs that must not wait for the queue. `sent` is told of messages
    that have reached their queues.
    """

    def __init__(
        self,
        send: Send,
        settled: Callable[[Callable[[], object]], Awaitable[object]],
        sent: Callable[[Sequence[Message]], None] = lambda messages: None,
    ) -> None:
        self._send = send
        self._sent = sent
        self._settled = settled
        self._open: list[Outbox] = []

    def __enter__(self) -> Outbox:
        self._open.append(Outbox().open(self._send))
        return self._open[-1]

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._settle(self._closed(), _has_failed(error))

    async def __aenter__(self) -> Outbox:
        return self.__enter__()

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        outbox = self._closed()
        await self._settled(lambda: self._settle(outbox, _has_failed(error)))

    def _settle(self, outbox: Outbox, has_failed: bool) -> None:
        is_outermost = _open_for(self._send) is None
        if outbox.settle(has_failed) and is_outermost:
            self._sent(outbox.messages)

    def _closed(self) -> Outbox:
        outbox = self._open.pop()
        outbox.close()
        return outbox


def _has_failed(error: BaseException | None) -> bool:
    return error is not None and not _ends_well(error)


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

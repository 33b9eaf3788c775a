"""Messages held back until the code that enqueued them has succeeded."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from cronq.events import emit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cronq.message import Message

_open_box: ContextVar[list[Message] | None] = ContextVar("cronq_outbox", default=None)


def hold(messages: list[Message]) -> bool:
    """Put messages into the open outbox. False when none is open: send them now."""
    box = _open_box.get()
    if box is None:
        return False
    box.extend(messages)
    return True


@contextmanager
def opened(send: Callable[[list[Message]], None]) -> Iterator[list[Message]]:
    """Hold messages back; send them in one transaction at the end, drop them when an exception passes.

    An inner outbox hands its messages to the outer one, which alone knows whether all went well.
    Clearing the yielded list drops what is in it.
    """
    box: list[Message] = []
    token = _open_box.set(box)
    try:
        yield box
    except BaseException:
        if box:
            emit("dropped", count=len(box), tasks=sorted({message.task for message in box}))
        raise
    finally:
        _open_box.reset(token)
    if box and not hold(box):
        send(box)

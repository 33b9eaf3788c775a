"""How old the project's code in this process is, and which messages are for newer code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cronq.messages.ids import enqueued_at

if TYPE_CHECKING:
    from cronq.messages.message import Message

LOOK_AGAIN_S = 30.0  # a message whose arguments do not fit is offered again, to whoever comes first


class LoadedCode:
    """The code of this process, loaded at `since` (wall seconds, now if not said): as told by the ids' own clock.

    `unknown` are tasks that it does not have, but newer code has, as it seems: their messages are left in the queue.
    """

    def __init__(self, since: float | None = None) -> None:
        self._since = time.time() if since is None else since
        self.unknown: set[str] = set()

    def may_be_older_than(self, message: Message) -> bool:
        """Tell whether a message was enqueued later, so perhaps by newer code."""
        return enqueued_at(message.id) > self._since

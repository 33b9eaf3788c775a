"""The transport of `sync://`: every message is run by the app the moment it is enqueued, in the same process."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from cronq.messages.message import State
from cronq.transports.base import do_nothing
from cronq.transports.memory.transport import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.clock import Clock
    from cronq.messages.message import Message
    from cronq.transports.abilities.queues import Shown
    from cronq.transports.memory.rows import Row


class SyncTransport(MemoryTransport):
    """Memory, but the app drains it at once after every enqueue, and a task's exception reaches the caller.

    So each thread runs what it has enqueued itself, and nothing waits for its time: nobody would come for it then.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self._threads: dict[str, int] = {}

    def enqueue(self, messages: Sequence[Message], shown: Shown = do_nothing) -> Mapping[str, str]:
        with self._guard:
            absorbed = super().enqueue(messages, shown)
            kept = {one: thread for one, thread in self._threads.items() if one in self._tables.rows}
            self._threads = {**kept, **dict.fromkeys((message.id for message in messages), threading.get_ident())}
        return absorbed

    def take(self, holder: str) -> Message | None:
        """Reserve the next message of this thread, due or not; None when it has none."""
        mine = threading.get_ident()
        with self._guard:
            rows = self._tables.where(lambda row: self._threads.get(row.message.id) == mine and self._may_run(row))
            if not rows:
                return None
            row = min(rows, key=lambda row: (-row.message.priority, row.message.id))
            message = row.message.reserved(position=1)._replace(gather=0)
            self._tables.put(replace(row, message=message, state=State.RESERVED, holder=holder, blocked_by=None))
        return message

    def _may_run(self, row: Row) -> bool:
        """Tell whether a message waits for nothing but its time, or for others to be run with, who may never come."""
        is_waiting = row.state in {State.READY, State.DELAYED} or (
            row.state is State.BLOCKED and row.message.gather > 0
        )
        return is_waiting and row.message.queue not in self._tables.paused

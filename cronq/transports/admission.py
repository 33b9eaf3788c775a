"""Whether there is room for more messages, as `max_waiting` and `store_max_mb` say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.errors import StateDirError, TransportError
from cronq.messages.unsent import QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.messages.message import Message
    from cronq.transports.abilities.upkeep import Upkeep

AT_MOST_EVERY_S = 1.0
_SHARE = 100  # counting takes no more than one of so many seconds
_MB = 1024 * 1024


class Level:
    """How full something is: what was counted, at most once a second, and what this process has added since."""

    def __init__(self, most: int, count: Callable[[], int], clock: Clock) -> None:
        self.most = most
        self._count = count
        self._clock = clock
        self._counted = 0
        self._again_at = float("-inf")

    def has_room_for(self, more: int) -> bool:
        """Raises TransportError, StateDirError when the store cannot be looked at."""
        now = self._clock.monotonic()
        if now >= self._again_at:
            self._counted = self._count()
            took_s = self._clock.monotonic() - now
            self._again_at = now + max(AT_MOST_EVERY_S, took_s * _SHARE)
        return self._counted + more <= self.most

    def add(self, more: int) -> None:
        self._counted += more


class Admission:
    """Lets messages in while there is room. `store` opens what is counted, not before it has to be."""

    def __init__(self, settings: Settings, store: Callable[[], Upkeep], clock: Clock) -> None:
        most = settings.store_max_mb
        self._store = None if most is None else Level(most * _MB, lambda: store().stored_bytes(), clock)
        self._queues = {
            queue.name: _level(queue.name, queue.max_waiting, store, clock)
            for queue in settings.queues.values()
            if queue.max_waiting is not None
        }

    def admit(self, messages: Sequence[Message]) -> None:
        """Count messages in, all or none. Raises QueueFull, which has them, when one of the limits does not allow it.

        A store that cannot be looked at refuses nothing here: it will say better itself what is wrong with it.
        """
        try:
            self._refuse(messages)
        except QueueFull:
            raise
        except (TransportError, StateDirError):
            return
        for message in messages:
            if message.queue in self._queues:
                self._queues[message.queue].add(1)
        if self._store is not None:
            self._store.add(_size(messages))

    def _refuse(self, messages: Sequence[Message]) -> None:
        for queue, level in self._queues.items():
            more = sum(message.queue == queue for message in messages)
            if more and not level.has_room_for(more):
                raise QueueFull(
                    f"queue {queue!r} is full: no more than {level.most} messages may wait in it (max_waiting); "
                    f"not enqueued: {len(messages)}; see `cronq status` for why they wait",
                    messages,
                    pressure=True,
                )
        if self._store is not None and not self._store.has_room_for(_size(messages)):
            raise QueueFull(
                f"the store is full: it may take no more than {self._store.most // _MB} MB (store_max_mb); "
                f"not enqueued: {len(messages)}; `cronq status` shows what lies in it",
                messages,
                pressure=True,
            )


def _level(queue: str, most: int, store: Callable[[], Upkeep], clock: Clock) -> Level:
    return Level(most, lambda: store().waiting(queue, most), clock)


def _size(messages: Sequence[Message]) -> int:
    return sum(len(message.body) + len(message.headers) + len(message.follow) for message in messages)

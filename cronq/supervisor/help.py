"""Help: one more consumer, started by whoever sees that nobody is ready for the messages of a queue.

A tick comes once a minute or once an hour; a message of `high` must not wait for it because a consumer that serves
`low` as well is at a long message.
"""

from __future__ import annotations

import os

from cronq.errors import CronqError
from cronq.events import emit, listeners
from cronq.host.process import host_name
from cronq.supervisor import interval, slots
from cronq.supervisor.presence import presence_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
    from cronq.supervisor.presence import Presence
    from cronq.supervisor.slots import Seen
    from cronq.transports.base import Transport
else:
    Protocol = object

TICKS_ARE_GONE_S = 2 * 3600.0  # or three intervals: then nobody starts consumers here but a person


class Premises(Protocol):
    """Where consumers are missing: an Installation, or an App."""

    @property
    def settings(self) -> Settings: ...
    @property
    def state(self) -> StateDir: ...
    @property
    def transport(self) -> Transport: ...
    @property
    def clock(self) -> Clock: ...


class Help:
    """Looks for queues without a consumer that is ready, and starts one. This process itself counts as busy.

    `may_start` tells whether this process may leave consumers behind.
    """

    def __init__(self, place: Premises, may_start: Callable[[StateDir], bool]) -> None:
        self._place = place
        self._may_start = may_start

    def for_waiting(self, queues: Sequence[str]) -> None:
        """Start a consumer for messages that wait in `queues`, where nobody is ready for them."""
        if self._is_possible():
            seen = slots.survey(self._place.state)
            found = self._presence(as_ready(seen, self._place.clock.monotonic()))
            self._start(waiting(self._unpaused(queues), found))

    def ahead(self, queues: Sequence[str]) -> None:
        """Have somebody ready for `queues` while this consumer is at a long message, if there is a place to spare.

        The last place goes to who is ready for all that may come, or it is kept for what does come.
        """
        if not self._is_possible():
            return
        seen = slots.survey(self._place.state)
        ready = self._presence(seen).ready
        wanted = [queue for queue in self._unpaused(queues) if queue not in ready]
        if wanted and (self._one_is_enough(wanted, seen) or self._places() > 1):
            self._start(wanted)

    def _places(self) -> int:
        from cronq.supervisor import seats

        return seats.free(self._place.state, self._place.settings.max_processes)

    def _is_possible(self) -> bool:
        return is_cron_alive(self._place) and self._may_start(self._place.state)

    def _unpaused(self, queues: Sequence[str]) -> Sequence[str]:
        return self._place.settings.unpaused(tuple(queues))

    def _presence(self, seen: Sequence[Seen]) -> Presence:
        """Return who is there. A consumer that asks is busy, or will be in a moment."""
        groups = self._place.settings.groups
        found = presence_of(slots.of_others(seen), groups, host_name())
        mine = {one.group for one in seen if one.pid == os.getpid()}
        own = [queue for group in groups if group.name in mine for queue in group.queues]
        return found._replace(busy=found.busy.union(own))

    def _one_is_enough(self, queues: Sequence[str], seen: Sequence[Seen]) -> bool:
        from cronq.supervisor.single_start import groups_for

        groups = groups_for(self._place.settings, queues, seen)
        return bool(groups) and set(queues) <= set(groups[0].queues)

    def _start(self, queues: Sequence[str]) -> None:
        """Start one for most of `queues`. What fails here must not reach whoever has work to do."""
        if not queues:
            return
        from cronq.host.log import EventLog
        from cronq.supervisor.single_start import start_for
        from cronq.supervisor.spawn import TwiceDetached
        from cronq.supervisor.tick import Supervisor

        place = self._place
        log = EventLog(place.state.log, "help")
        is_logged = any(isinstance(one, EventLog) and one.path == log.path for one in listeners)
        if not is_logged:
            listeners.append(log)
        supervisor = Supervisor(place.settings, place.state, place.transport, place.clock, TwiceDetached(), os.environ)
        try:
            start_for(supervisor, queues, self._may_start)
        except (CronqError, OSError) as error:
            emit("trouble", error=error)
        finally:
            if not is_logged:
                listeners.remove(log)


def waiting(queues: Sequence[str], found: Presence) -> list[str]:
    """Return those of `queues` that want one more consumer for what waits there: all are busy, or nobody is there.

    Consumers of other hosts see to their own help. Pure.
    """
    ready = found.ready | (found.elsewhere - found.busy)
    return [queue for queue in queues if queue not in ready]


def as_ready(seen: Sequence[Seen], monotonic: float) -> list[Seen]:
    """Return the slots with those at rest who have been at their message for a moment only. Pure.

    Most messages are short. Who turns out to be at a long one looks by itself for what waits (Consumer.call_others).
    """
    return [
        one._replace(note=one.note._replace(since=0.0))
        if one.note is not None and monotonic - one.note.since < slots.TIED_UP_S
        else one
        for one in seen
    ]


def is_cron_alive(place: Premises) -> bool:
    """Tell whether ticks come, so that nobody is surprised by a consumer."""
    times = interval.read(place.state.ticks)
    if not times:
        return False
    silent_s = place.clock.now() - times[-1]
    return silent_s < max(TICKS_ARE_GONE_S, 3 * interval.current(place.state, place.settings.interval_s))

"""Schedules of less than a minute: fired by consumers, since the tick comes once a minute only."""

from __future__ import annotations

from cronq.errors import TransportError
from cronq.events import emit
from cronq.schedules.expression import is_sub_minute
from cronq.schedules.schedule import Timing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.schedules.stored import StoredSchedule
    from cronq.supervisor.firing import Place

LOOK_EVERY_S = 10.0


class SecondHand:
    """Fires what is due between two ticks, whenever its consumer looks at its queues.

    Every consumer has one, of whatever group: as long as any of them is idle, runs come in time, and which one fires
    is all the same, since a run is fired once. Where there is nothing for it to do, it costs a comparison, and every
    ten seconds, when its consumer is awake anyway, a read: programs may have added a schedule.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._look_at = 0.0  # monotonic
        self._next_at: float | None = None

    def looked(self, busy: bool) -> None:
        """Fire what is due: the consumer has just looked at its queues.

        A transport in trouble is left in peace for a while: the tick makes up for what is missed.
        """
        now = self._place.clock.monotonic()
        is_due = self._next_at is not None and self._next_at <= self._place.clock.now()
        if now < self._look_at and not is_due:
            return
        self._look_at = now + LOOK_EVERY_S
        try:
            self._next_at = self._fire()
        except TransportError as error:
            self._next_at = None
            emit("trouble", error=error)

    def next_at(self) -> float | None:
        """Return when the next run is due, None when there is none that the tick would not see."""
        return self._next_at

    def _fire(self) -> float | None:
        """Fire what is due and return when something is due next."""
        stored = self._stored()
        now = self._place.clock.now()
        if any(one.is_due(now) for one in stored):
            from cronq.supervisor.firing import fire_due

            fire_due(self._place, stored)
            stored = self._stored()
        return min((one.next_at for one in stored if one.next_at is not None), default=None)

    def _stored(self) -> list[StoredSchedule]:
        """Return the schedules that are due below the minute, by their timing: reading JSON would cost more."""
        return [
            one
            for one in self._place.transport.schedules()
            if one.next_at is not None and is_sub_minute(Timing.read(one.timing).cron)
        ]

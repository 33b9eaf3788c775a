"""Firing what is due: by the tick, by a consumer between two ticks, and by a person. croniter is imported for that."""

from __future__ import annotations

from cronq.errors import TransportError, UsageError
from cronq.events import emit
from cronq.schedules.spec import message_of, schedule_of
from cronq.schedules.stored import Fired, Firing
from cronq.supervisor import interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
    from cronq.messages.message import Message
    from cronq.schedules.stored import StoredSchedule
    from cronq.transports.abilities.stored_schedules import StoredSchedules
else:
    Protocol = object  # the tick does without typing

LATE_INTERVALS = 1.5  # a run that is no later than ticks are was not missed
_TRIES = 5


class Place(Protocol):
    """Where schedules are fired from: a Supervisor, or an App."""

    @property
    def settings(self) -> Settings: ...
    @property
    def state(self) -> StateDir: ...
    @property
    def transport(self) -> StoredSchedules: ...
    @property
    def clock(self) -> Clock: ...


def fire_due(place: Place, stored: Sequence[StoredSchedule]) -> None:
    """Enqueue the runs that are due, each once, whoever else tries at the same time."""
    now = place.clock.now()
    for one in stored:
        if one.is_due(now):
            try:
                _fire(place, firing_of(place, one, now))
            except UsageError as error:  # say, the host has lost a time zone
                _refuse(place, one, str(error))


def firing_of(place: Place, one: StoredSchedule, now: float) -> Firing:
    """Return what firing a due schedule means now."""
    from cronq.schedules.schedule import ON_TIME_S, due, next_at

    schedule = schedule_of(one)
    period_s = interval.current(place.state, place.settings.interval_s)
    on_time_s = max(ON_TIME_S, LATE_INTERVALS * period_s)
    times = due(schedule, (one.next_at or now) - 1, now, on_time_s)
    messages = [message_of(one, at, now) for at in times]
    return Firing(one, next_at(schedule, now), messages, schedule.overlaps)


def run_now(place: Place, one: StoredSchedule) -> Message:
    """Enqueue one run whenever it is due, whatever else goes on, and return its message. When it is due next stays."""
    now = place.clock.now()
    message = message_of(one, now, now)
    for _ in range(_TRIES):
        if place.transport.fire(Firing(one, one.next_at, [message], overlaps=True)) is Fired.ENQUEUED:
            _wake(place, [message])
            return message
        one = next((other for other in place.transport.schedules() if other.key == one.key), one)
    raise TransportError(f"schedule {one.name}: others change it all the time: try again", pressure=True)


def _fire(place: Place, firing: Firing) -> None:
    one = firing.schedule
    answer = place.transport.fire(firing)
    if answer is Fired.ENQUEUED:
        emit("submitted", messages=firing.messages)
        emit("scheduled", schedule=one.name, messages=firing.messages)
        _wake(place, firing.messages)
    elif answer is Fired.SKIPPED and not one.skipped:  # the first in a row: one line is enough
        emit("schedule_skipped", schedule=one.name, message_id=one.last_message_id)


def _refuse(place: Place, one: StoredSchedule, reason: str) -> None:
    """Let a schedule that can no longer be understood rest, until a consumer declares it again."""
    if place.transport.revise(one, one._replace(next_at=None, refused=reason)):
        emit("schedule_refused", reason=reason)


def _wake(place: Place, messages: Sequence[Message]) -> None:
    from cronq.host.bell import ring

    for queue in {message.queue for message in messages}:
        ring(place.state.wake(queue))

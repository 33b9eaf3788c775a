"""The schedule runner: what the tick does about recurring work. json and croniter are imported for what is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import UsageError
from cronq.events import emit
from cronq.ids import new_id
from cronq.message import Message
from cronq.supervisor import interval
from cronq.transports.base import Firing, StoredSchedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.config.settings import Settings
    from cronq.schedule import Schedule
    from cronq.supervisor.tick import Supervisor
    from cronq.transports.base import Transport

CODE, CONFIG = "code", "config"
MAX_ATTEMPTS = 3  # until a consumer, which knows the task, has said better
LATE_INTERVALS = 1.5  # a run that is no later than ticks are was not missed


def run_due(supervisor: Supervisor, stored: Sequence[StoredSchedule], declares: bool) -> None:
    """Enqueue what is due. With `declares`, take over first what has changed in the configuration."""
    transport = supervisor.transport
    if declares and _has_changed(supervisor.settings, stored):
        declare(transport, CONFIG, _of_config(supervisor.settings, stored, supervisor.clock.now()))
        stored = transport.schedules()
    now = supervisor.clock.now()
    for one in stored:
        if one.next_at is not None and one.next_at <= now:
            try:
                _fire(supervisor, _firing(supervisor, one, now))
            except UsageError as error:  # say, the host has lost a time zone
                _refuse(supervisor, one, str(error))


def declare(transport: Transport, source: str, schedules: Sequence[StoredSchedule]) -> None:
    """Store what a source declares, and say which of it is refused."""
    transport.declare(source, schedules)
    for one in schedules:
        if one.refused is not None:
            emit("schedule_refused", reason=one.refused)


def due_now(supervisor: Supervisor) -> list[Firing]:
    """Return what a tick would fire now; change nothing."""
    now = supervisor.clock.now()
    return [
        _firing(supervisor, one, now)
        for one in supervisor.transport.schedules()
        if one.next_at is not None and one.next_at <= now
    ]


def _fire(supervisor: Supervisor, firing: Firing) -> None:
    if supervisor.transport.fire(firing) and firing.messages:
        emit("scheduled", schedule=firing.schedule.name, messages=firing.messages)
        _wake(supervisor, firing.messages)


def _refuse(supervisor: Supervisor, one: StoredSchedule, reason: str) -> None:
    """Let a schedule that can no longer be understood rest, until a consumer declares it again."""
    refused = one._replace(next_at=None, refused=reason)
    now_stored = [other for other in supervisor.transport.schedules() if other.source == one.source]
    declared = [refused if other.name == one.name else other for other in now_stored]
    declare(supervisor.transport, one.source, declared)


def _firing(supervisor: Supervisor, one: StoredSchedule, now: float) -> Firing:
    from cronq.schedule import ON_TIME_S, due, next_at

    schedule = schedule_of(one)
    period_s = interval.current(supervisor.state.ticks, supervisor.settings.interval_s)
    on_time_s = max(ON_TIME_S, LATE_INTERVALS * period_s)
    times = due(schedule, (one.next_at or now) - 1, now, on_time_s)
    return Firing(one, next_at(schedule, now), [message_of(one, at) for at in times])


def _has_changed(settings: Settings, stored: Sequence[StoredSchedule]) -> bool:
    known = {one.name: one.declared for one in stored if one.source == CONFIG}
    return known != {schedule.name: schedule.declared for schedule in settings.schedules}


def _of_config(settings: Settings, stored: Sequence[StoredSchedule], now: float) -> list[StoredSchedule]:
    """Return the schedules of the configuration; of those that are as before, what a consumer found out is kept."""
    known = {one.name: one for one in stored if one.source == CONFIG}
    found = []
    for schedule in settings.schedules:
        old = known.get(schedule.name)
        if old is not None and old.declared == schedule.declared:
            found.append(old)
            continue
        queue = schedule.queue or "normal"
        attempts = settings.queue(queue).max_attempts or MAX_ATTEMPTS
        found.append(placed(to_store(CONFIG, schedule, schedule.args, queue, attempts), schedule, now))
    return found


def to_store(
    source: str, schedule: Schedule, args: Mapping[str, object], queue: str, max_attempts: int
) -> StoredSchedule:
    """Return a schedule as transports keep it, not yet placed in time."""
    import json

    spec = {
        "task": schedule.task,
        "cron": schedule.cron,
        "tz": schedule.tz,
        "args": dict(args),
        "missed": schedule.missed,
        "queue": queue,
        "max_attempts": max_attempts,
    }
    written = json.dumps(spec, default=str).encode()
    return StoredSchedule(source, schedule.name, schedule.declared, schedule.timing, written, None)


def placed(one: StoredSchedule, schedule: Schedule, now: float) -> StoredSchedule:
    """Return it with its next time, or refused when it never has one."""
    from cronq.schedule import next_at, validated

    if one.refused is not None:
        return one
    try:
        return one._replace(next_at=next_at(validated(schedule), now))
    except UsageError as error:
        return one._replace(refused=str(error))


def spec_of(one: StoredSchedule) -> dict[str, Any]:
    """Return the spec of a stored schedule."""
    import json

    return dict(json.loads(one.spec))


def schedule_of(one: StoredSchedule) -> Schedule:
    """Return a stored schedule as it was declared."""
    from cronq.schedule import Schedule

    spec = spec_of(one)
    return Schedule(one.name, spec["task"], spec["cron"], spec["tz"], spec["args"], spec["missed"], spec["queue"])


def message_of(one: StoredSchedule, due_at: float) -> Message:
    """Return the message of one run. Its headers tell the task which schedule it is, and for when it was due."""
    import json
    from datetime import UTC, datetime

    spec = spec_of(one)
    headers = {"schedule": one.name, "due_at": datetime.fromtimestamp(due_at, UTC).isoformat()}
    return Message(
        new_id(),
        spec["queue"],
        spec["task"],
        json.dumps(spec["args"]).encode(),
        json.dumps(headers).encode(),
        max_attempts=spec["max_attempts"],
    )


def _wake(supervisor: Supervisor, messages: Sequence[Message]) -> None:
    from cronq.host.bell import ring

    for queue in {message.queue for message in messages}:
        ring(supervisor.state.wake(queue))

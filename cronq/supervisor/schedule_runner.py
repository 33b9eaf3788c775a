"""The schedule runner: what the tick does about recurring work. json and croniter are imported for what is due."""

from __future__ import annotations

from cronq.events import emit
from cronq.host.process import PRESSURE
from cronq.host.state_dir import read_text, replace_text
from cronq.schedules.stored import CONFIG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
    from cronq.schedules.stored import Firing, StoredSchedule
    from cronq.supervisor.firing import Place
    from cronq.transports.abilities.stored_schedules import StoredSchedules

MAX_ATTEMPTS = 3  # until a consumer, which knows the task, has said better


def run_due(place: Place, stored: Sequence[StoredSchedule], from_cron: bool) -> None:
    """Enqueue what is due. A tick from cron first takes over what has changed in the configuration.

    It also tells of schedules that have stopped: what it says is what cron mails.
    """
    transport = place.transport
    if from_cron and _has_changed(place.settings, stored):
        declare(transport, CONFIG, _of_config(place.settings, stored, place.clock.now()))
        stored = transport.schedules()
    if from_cron:
        _tell_of_stopped(place.state, stored)
    now = place.clock.now()
    if any(one.is_due(now) for one in stored):
        from cronq.supervisor.firing import fire_due

        fire_due(place, stored)


def declare(transport: StoredSchedules, source: str, schedules: Sequence[StoredSchedule]) -> None:
    """Store what a source declares, and say which of it is refused."""
    transport.declare(source, schedules)
    for one in schedules:
        if one.refused is not None:
            emit("schedule_refused", reason=one.refused)


def due_now(place: Place) -> list[Firing]:
    """Return what a tick would fire now; change nothing."""
    from cronq.supervisor.firing import firing_of

    now = place.clock.now()
    return [firing_of(place, one, now) for one in place.transport.schedules() if one.is_due(now)]


def _has_changed(settings: Settings, stored: Sequence[StoredSchedule]) -> bool:
    known = {one.name: one.declared for one in stored if one.source == CONFIG}
    return known != {schedule.name: schedule.declared for schedule in settings.schedules}


def _of_config(settings: Settings, stored: Sequence[StoredSchedule], now: float) -> list[StoredSchedule]:
    """Return the schedules of the configuration; of those that are as before, what a consumer found out is kept."""
    from cronq.schedules.spec import placed, to_store
    from cronq.transports.schemes import place_of

    known = {one.name: one for one in stored if one.source == CONFIG}
    found = []
    for schedule in settings.schedules:
        old = known.get(schedule.name)
        if old is not None and old.declared == schedule.declared:
            found.append(old)
            continue
        queue = schedule.queue or "normal"
        attempts = settings.queue(queue).max_attempts or MAX_ATTEMPTS
        new = to_store(CONFIG, schedule, schedule.args, queue, attempts, place_of(settings))
        found.append(placed(new, now))
    return found


def _tell_of_stopped(state: StateDir, stored: Sequence[StoredSchedule]) -> None:
    """Say once of each schedule that it has stopped. What has been said is in a file, a line each.

    Where the disk is full nothing is said yet, rather than the same every minute.
    """
    stopped = [one for one in stored if one.stopped_at is not None]
    if not stopped:
        return
    path = f"{state.run}/stopped-schedules"
    told = (read_text(path) or "").splitlines()
    lines = [_line(one) for one in stopped]
    try:
        if told != lines:
            replace_text(path, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        if error.errno not in PRESSURE:
            raise
        return
    for one in stopped:
        if _line(one) not in told:
            emit("schedule_stopped", reason=one.trouble)


def _line(one: StoredSchedule) -> str:
    return f"{one.stopped_at} {one.source} {one.name}"

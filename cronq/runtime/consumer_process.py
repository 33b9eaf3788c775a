"""The life of a consumer process, from taking its slot to leaving it."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING

from cronq import events
from cronq.clock import SystemClock
from cronq.consumer.lifetime import ChangedFiles
from cronq.consumer.limits import MAKES_ROOM
from cronq.errors import CronqError, TransportError
from cronq.escape import escaped_lines
from cronq.events import emit
from cronq.host import known_tasks, locks, process
from cronq.host.log import EventLog
from cronq.host.state_dir import StateDir
from cronq.interruptions import is_interruption
from cronq.namedtuple import NamedTuple
from cronq.runtime.app_loader import load_app
from cronq.runtime.run_time_notes import remember
from cronq.supervisor import backoff, interval, overdue_list, seats, slots
from cronq.supervisor.code_marks import watched_files
from cronq.supervisor.rescue import left_behind, rescue
from cronq.supervisor.slots import BROKEN, CONSUMING, LEFT, Slot
from cronq.supervisor.spawn import LAST_STOP
from cronq.supervisor.tick import paused_until
from cronq.transports.schemes import make_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app.application import App
    from cronq.clock import Clock
    from cronq.config.settings import Group, Settings
    from cronq.consumer.runner import Runner
    from cronq.runtime.assignment import Assignment
    from cronq.runtime.crew import Crew

    Imported = Callable[[Slot | None], App | None]
    Makes = Callable[..., Runner] | None

PATIENCE_S = 10  # for user code that hangs while the process exits
HANDOVER_S = 30.0  # for a seat, should another have taken the predecessor's: idle ones leave a full account soon


class Site(NamedTuple):
    """Where a consumer process works. `watched` knows the files from before the project was imported.

    `last_stop` is the `cronq stop` that was the last one when this process was started.
    `makes` makes the runner, where it is not to be a `Runner`.
    """

    settings: Settings
    state: StateDir
    clock: Clock
    watched: ChangedFiles
    last_stop: str
    makes: Makes = None

    @property
    def interval_s(self) -> float:
        return interval.current(self.state, self.settings.interval_s)

    def count_death(self, group: Group) -> None:
        """Have fewer consumers of `group` started: this one could not begin, and the next one hardly can."""
        backoff.add_death(self.state.backoff(group.name), self.interval_s, self.clock.monotonic())

    def deadline(self, group: Group) -> float:
        """Return when a consumer of `group` that begins now has to leave, in monotonic seconds."""
        return self.clock.monotonic() + interval.life_s(self.interval_s, group.time_limit_s)


def consume(settings: Settings, assigned: Assignment, stop_when_empty: bool = False, makes: Makes = None) -> int:
    """Consume as assigned until there is a reason to leave, and return the exit code.

    A consumer that finds no free slot leaves at once with 0: enough others are there.
    """
    site = enter(settings, f"consumer {assigned.slot or assigned.group.name}", makes)
    return take_up(site, assigned, lambda slot: import_app(site, slot), stop_when_empty)


def take_up(site: Site, assigned: Assignment, imported: Imported, stop_when_empty: bool = False) -> int:
    """Take the slot that is assigned, consume in it, and return the exit code. `imported` brings the project's App."""
    if assigned.slot is not None:
        return _succeed(site, assigned, assigned.slot, imported)
    slot = slots.take(site.state, assigned.group.name, assigned.group.autoscale.max)
    if slot is None:
        return 0
    if assigned.is_counted and (_is_held_back(site) or not _take_seat(site, slot)):
        slot.release()
        return 0
    _settle_in(site, slot, assigned.group)
    app = imported(slot)
    return 1 if app is None else _work(site, app, slot, assigned.group, stop_when_empty)


def _succeed(site: Site, assigned: Assignment, name: str, imported: Imported) -> int:
    """Be ready first, then ask the holder of the slot to leave, and take over the moment it has."""
    queue = locks.take(site.state.successor(name))
    if queue is None:
        return 0
    app = imported(None)
    if app is None:
        site.count_death(assigned.group)
        return 1
    slot = _wait_for_slot(site, assigned.group, name)
    queue.release()
    if _is_held_back(site) or not _take_seat(site, slot, within_s=HANDOVER_S):
        slot.release()
        return 0
    _settle_in(site, slot, assigned.group)
    return _work(site, app, slot, assigned.group, stop_when_empty=False)


def enter(settings: Settings, who: str, makes: Makes = None) -> Site:
    """Prepare this process, which the log calls `who`, for consuming. Raises StateDirError, UsageError."""
    if not process.HAS_CONSUMERS:
        from cronq.host.requirements import no_consumers

        raise no_consumers("consume")
    _print_by_lines()
    state = StateDir(settings.state_dir)
    state.prepare()
    events.listeners.append(EventLog(state.log, who))
    clock = SystemClock()
    last_stop = os.environ.pop(LAST_STOP, None)  # what a task starts was started after more of them
    watched = ChangedFiles(watched_files(settings, state), clock)
    return Site(settings, state, clock, watched, state.last_stop() if last_stop is None else last_stop, makes)


def _print_by_lines() -> None:
    """Python keeps what is printed into a file for later, and a kill takes it."""
    if isinstance(sys.stdout, TextIOWrapper):  # None where it was closed
        sys.stdout.reconfigure(line_buffering=True)


def _wait_for_slot(site: Site, group: Group, name: str) -> Slot:
    """Ask the slot's holder to leave and wait until it has, no longer than a consumer lives: SIGALRM ends the wait."""
    signal.alarm(int(interval.life_s(site.interval_s, group.time_limit_s)) + 1)
    seen = slots.see(site.state, name)
    if seen.live_note is not None:
        process.send(seen.live_note.holder, signal.SIGTERM)
    slot = slots.wait_for(site.state, name)
    signal.alarm(0)
    return slot


def _is_held_back(site: Site) -> bool:
    """Tell whether a `cronq stop` came between the start of this process and now, or one `--for` longer is in force.

    Asked with the slot in hand: whoever took it before the stop was written is seen and told to leave by the stop.
    """
    return site.state.last_stop() != site.last_stop or site.clock.now() < paused_until(site.state)


def _take_seat(site: Site, slot: Slot, within_s: float = 0.0) -> bool:
    slot.seat = seats.take(site.state, site.settings.max_processes, within_s)
    return slot.seat is not None


def _settle_in(site: Site, slot: Slot, group: Group) -> None:
    """Rescue what the slot's last holder left behind, then write ourselves into the slot."""
    transport = make_transport(site.settings, site.clock)
    try:
        rescue(transport, left_behind(transport.held(), slot, site.clock.now(), overdue_list.read(site.state)))
    except TransportError as error:
        if not error.pressure:
            site.count_death(group)
        raise
    transport.close()
    _leave_when_told(slot)
    slot.begin(group.queues, site.deadline(group))  # from now on a successor knows whom to tell


def _leave_when_told(slot: Slot) -> None:
    """Until the consumer itself listens: whoever is told to leave while it starts must not look like a young death."""

    def leave(number: int, frame: object) -> None:
        if os.getpid() != slot.identity.pid:  # a child that the project forked while it was imported
            os._exit(128 + number)
        with suppress(OSError):  # it was leaving already
            slot.leave(f"{signal.Signals(number).name} received while it started")
        os._exit(0)

    for number in (signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, leave)


def import_app(site: Site, slot: Slot | None) -> App | None:
    """Import the project. Its errors go to the output log whole, and to `cronq status` in one line."""
    try:
        app = load_app(site.settings)
        app.definitions.complete()
        _register_schedules(app)
        _note_tasks(site.state, app)  # after that: the time of the last note tells whether the clock was set back
        return app
    except CronqError as error:
        reason = str(error)
        _print(f"cronq: {reason}")
    except BaseException as error:
        if is_interruption(error):
            raise
        import traceback

        _print(traceback.format_exc().rstrip("\n"))
        reason = f"importing {site.settings.app} failed: {type(error).__name__}: {error}"
    emit("consumer_broken", slot=slot.name if slot else "successor", reason=reason)
    if slot is not None:
        slot.leave(reason, BROKEN)
    return None


def _work(site: Site, app: App, slot: Slot, group: Group, stop_when_empty: bool) -> int:
    from cronq.runtime.assistance import Assistance
    from cronq.runtime.crew import Shift, make_consumer

    _be_nice(group.nice)
    shift = Shift(slot, group, site.deadline(group), site.watched, stop_when_empty, site.makes)
    assistance = Assistance(app, group)
    crew = make_consumer(app, shift, assistance)
    gc.collect()
    gc.freeze()  # what the project imported stays: collections between messages look at the rest only
    slot.bound_memory(group.memory_limit_mb)
    slot.begin(group.queues, shift.deadline, CONSUMING)
    emit("consumer_started", slot=slot.name, queues=group.queues)
    reason, code = _run(crew)
    done = crew.tally
    emit("consumer_stopped", slot=slot.name, reason=reason, messages=done.messages, failures=done.failures)
    remember(site.state, crew.runner.durations)
    slot.leave(reason, BROKEN if code else LEFT)
    if reason == MAKES_ROOM:
        assistance.hand_place_on()
    _exit_soon()
    crew.runner.close()
    return code


def _register_schedules(app: App) -> None:
    """Tell the tick what recurs, before a successor takes over. What is wrong with that keeps nobody from consuming."""
    try:
        app.declarations.register()
    except BaseException as error:  # arguments are encoded by the project's own types
        if is_interruption(error):
            raise
        emit("trouble", error=error)


def _run(crew: Crew) -> tuple[str, int]:
    try:
        return crew.consumer.run(), 0
    except CronqError as error:
        _print(f"cronq: {error}")
        return str(error), 1


def _print(text: str) -> None:
    """Print to the output log, which people read on a terminal."""
    print(escaped_lines(text), file=sys.stderr)  # noqa: T201 - the output log


def _note_tasks(state: StateDir, app: App) -> None:
    """Note which tasks this code has. A full disk must not keep it from running them."""
    try:
        known_tasks.note(state.known_tasks, (task.name for task in app.registry))
    except OSError as error:
        emit("trouble", error=error)


def _exit_soon() -> None:
    """Let exit handlers run, but not for ever: SIGALRM's default action ends the process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(PATIENCE_S)


def _be_nice(nice: int) -> None:
    """Give way to web requests. A process that is nicer already stays as it is."""
    missing = nice - os.nice(0)
    if missing > 0:
        os.nice(missing)

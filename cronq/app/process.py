"""The life of a consumer process, from taking its slot to leaving it."""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from cronq import events
from cronq.app.loading import load_app
from cronq.clock import SystemClock
from cronq.config.settings import Autoscale, Group
from cronq.consumer import durations
from cronq.errors import CronqError, UsageError
from cronq.events import emit
from cronq.host import locks, process
from cronq.host.log import EventLog
from cronq.host.state_dir import StateDir, read_text, replace_text
from cronq.supervisor import interval, seats, slots
from cronq.supervisor.rescue import find_dead, rescue
from cronq.supervisor.slots import BROKEN, CONSUMING, Slot
from cronq.supervisor.spawn import TwiceDetached
from cronq.supervisor.tick import Supervisor, paused_until, tick
from cronq.transports.from_url import make_transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app.application import App
    from cronq.app.consuming import Crew
    from cronq.consumer.durations import Durations
    from cronq.config.settings import Settings

PATIENCE_S = 10  # for user code that hangs while the process exits
HANDOVER_S = 0.5  # for the kernel to close what a killed predecessor held
AD_HOC = "adhoc"
_AD_HOC_SLOTS = 100


class Assignment(NamedTuple):
    """Which group to consume for, in which slot. `slot` None: any free one; else that one, as its holder's successor.

    `is_counted`: one of the account's `max_processes`. Consumers that a person starts by hand are not.
    """

    group: Group
    slot: str | None = None
    is_counted: bool = True


def assignment(settings: Settings, target: str) -> Assignment:
    """Read `high` (a group) or `high.0` (a slot to take over). Raises UsageError for a group there is none of."""
    name, dot, number = target.partition(".")
    for group in settings.groups:
        if group.name == name and (not dot or number.isdecimal()):
            return Assignment(group, target if dot else None)
    names = ", ".join(group.name for group in settings.groups) or "none (consumers = [])"
    raise UsageError(f"{target}: no such consumer group; [[consumers]] has {names}")


def ad_hoc(queues: tuple[str, ...]) -> Assignment:
    """Return the assignment of a consumer that a person starts for some queues."""
    return Assignment(Group(AD_HOC, queues, Autoscale(max=_AD_HOC_SLOTS)), is_counted=False)


def consume(settings: Settings, assigned: Assignment, stop_when_empty: bool = False) -> int:
    """Consume as assigned until there is a reason to leave, and return the exit code.

    A consumer that finds no free slot leaves at once with 0: enough others are there.
    """
    state = StateDir(settings.state_dir)
    state.prepare()
    events.listeners.append(EventLog(state.log, f"consumer {assigned.slot or assigned.group.name}"))
    if assigned.slot is not None:
        return _succeed(settings, state, assigned)
    slot = slots.take(state, assigned.group.name, assigned.group.autoscale.max)
    if slot is None:
        return 0
    if assigned.is_counted and (_is_held_back(state) or not _take_seat(settings, state, slot)):
        slot.release()
        return 0
    _settle_in(settings, state, slot, assigned.group)
    app = _import_app(settings, slot)
    return 1 if app is None else _work(app, slot, assigned.group, stop_when_empty)


def _succeed(settings: Settings, state: StateDir, assigned: Assignment) -> int:
    """Be ready first, then ask the holder of the slot to leave, and take over the moment it has."""
    name = str(assigned.slot)
    queue = locks.take(state.successor(name))
    if queue is None:
        return 0
    app = _import_app(settings, None)
    if app is None:
        return 1
    signal.alarm(int(interval.life_s(_interval_s(settings, state), assigned.group.time_limit_s)) + 1)
    seen = slots.see(state, name)
    if seen.live_note is not None:
        process.send(seen.live_note.holder, signal.SIGTERM)
    slot = slots.wait_for(state, name)
    signal.alarm(0)
    queue.release()
    if not _take_seat(settings, state, slot, within_s=HANDOVER_S):
        slot.release()
        return 0
    _settle_in(settings, state, slot, assigned.group)
    return _work(app, slot, assigned.group, stop_when_empty=False)


def _is_held_back(state: StateDir) -> bool:
    """Tell whether `cronq stop --for` came between the tick that started this process and now.

    Asked with the slot in hand: whoever took it before the stop was written is seen and told to leave by the stop.
    """
    return SystemClock().now() < paused_until(state)


def _take_seat(settings: Settings, state: StateDir, slot: Slot, within_s: float = 0.0) -> bool:
    slot.seat = seats.take(state, settings.max_processes, within_s)
    return slot.seat is not None


def _settle_in(settings: Settings, state: StateDir, slot: Slot, group: Group) -> None:
    """Rescue what the slot's last holder left behind, then write ourselves into the slot."""
    clock = SystemClock()
    transport = make_transport(settings, clock)
    held = [one for one in transport.held() if f"/{slot.name}/" in one.holder]
    if held:
        seen = slots.Seen(slot.name, None, slot.previous)
        rescue(transport, find_dead(held, {slot.name: seen}, clock.now()))
    transport.close()
    slot.begin(group.queues, _deadline(settings, state, group))


def _import_app(settings: Settings, slot: Slot | None) -> App | None:
    """Import the project. Its errors go to the output log whole, and to `cronq status` in one line."""
    try:
        return load_app(settings)
    except CronqError as error:
        reason = str(error)
        print(f"cronq: {reason}", file=sys.stderr)  # noqa: T201 - the output log
    except (Exception, SystemExit) as error:
        import traceback

        traceback.print_exc()
        reason = f"importing {settings.app} failed: {type(error).__name__}: {error}"
    emit("consumer_broken", slot=slot.name if slot else "successor", reason=reason)
    if slot is not None:
        slot.leave(reason, BROKEN)
    return None


def _work(app: App, slot: Slot, group: Group, stop_when_empty: bool) -> int:
    from cronq.app.consuming import make_consumer

    _be_nice(group.nice)
    deadline = _deadline(app.settings, app.state, group)
    crew = make_consumer(app, slot, group, deadline, _help(app, group), stop_when_empty)
    gc.collect()
    gc.freeze()  # what the project imported stays: collections between messages look at the rest only
    slot.begin(group.queues, deadline, CONSUMING)
    emit("consumer_started", slot=slot.name, queues=group.queues)
    return _run(crew, slot, app.state)


def _run(crew: Crew, slot: Slot, state: StateDir) -> int:
    try:
        reason, code = crew.consumer.run(), 0
    except CronqError as error:
        reason, code = str(error), 1
        print(f"cronq: {reason}", file=sys.stderr)  # noqa: T201 - the output log
    emit(
        "consumer_stopped",
        slot=slot.name,
        reason=reason,
        messages=crew.progress.messages,
        failures=crew.progress.failures,
    )
    _remember(state, crew.durations)
    slot.leave(reason, BROKEN if code else slots.LEFT)
    _exit_soon()
    return code


def _remember(state: StateDir, measured: Durations) -> None:
    """Add how long tasks took here to what is known: web processes are spared those that would not fit."""
    new = measured.p95()
    if not new:
        return
    try:
        known = durations.from_text(read_text(state.durations) or "")
        replace_text(state.durations, durations.to_text(known | new))
    except OSError as error:
        emit("trouble", error=error)


def _exit_soon() -> None:
    """Let exit handlers run, but not for ever: SIGALRM's default action ends the process."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(PATIENCE_S)


def _help(app: App, group: Group) -> Callable[[], None]:
    """Return what a busy consumer does when the backlog is more than its group is sized for: run the tick early."""
    size = group.autoscale.desired_size
    starter = TwiceDetached()

    def call() -> None:
        if app.transport.depth(group.queues, size + 1) > size:
            tick(Supervisor(app.settings, app.state, app.transport, app.clock, starter, os.environ), from_cron=False)

    return call


def _interval_s(settings: Settings, state: StateDir) -> float:
    return interval.measured(interval.read(state.ticks), settings.interval_s)


def _deadline(settings: Settings, state: StateDir, group: Group) -> float:
    return SystemClock().monotonic() + interval.life_s(_interval_s(settings, state), group.time_limit_s)


def _be_nice(nice: int) -> None:
    """Give way to web requests. A process that is nicer already stays as it is."""
    missing = nice - os.nice(0)
    if missing > 0:
        os.nice(missing)

"""The tick: see, decide, act, and leave within a second."""

from __future__ import annotations

import os
import signal

from cronq.errors import TransportError
from cronq.events import emit
from cronq.host import locks, process
from cronq.host.state_dir import read_text
from cronq.namedtuple import NamedTuple
from cronq.supervisor import backoff, child_environ, interval, overdue_list, slots
from cronq.supervisor.cleanup import tidy
from cronq.supervisor.plan import Plan, Sight, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
    from cronq.supervisor.rescue import Dead
    from cronq.supervisor.slots import Seen
    from cronq.supervisor.spawn import Starter
    from cronq.transports.base import Transport
    from cronq.transports.exchange import Held


FROM_CRON_WAITS_S = 0.5  # for a burst to end: a minute without a tick would be a minute without succession


class Supervisor(NamedTuple):
    """What a tick works with. `start` starts consumers, `environ` is what they inherit."""

    settings: Settings
    state: StateDir
    transport: Transport
    clock: Clock
    start: Starter
    environ: Mapping[str, str]


def tick(supervisor: Supervisor, from_cron: bool = True) -> Plan | None:
    """Do what is due and return what was done; None when another tick is at it.

    A tick that is not from cron (a burst, a web request) is not counted when the interval is measured.
    """
    lock = locks.take(supervisor.state.tick_lock, within_s=FROM_CRON_WAITS_S if from_cron else 0.0)
    if lock is None:
        return None
    try:
        if from_cron:
            _note(supervisor)
        if supervisor.settings.spool or os.path.exists(supervisor.state.spool):
            from cronq.supervisor.replay import look_after

            look_after(supervisor)
        _enqueue_recurring(supervisor, from_cron)
        plan = decide(supervisor.settings, see(supervisor))
        carry_out(supervisor, plan)
        tidy(supervisor.settings, supervisor.state, supervisor.transport, supervisor.clock)
        emit("ticked", plan=plan)
    finally:
        lock.release()
    return plan


def _note(supervisor: Supervisor) -> None:
    """Write down when this tick came, and with which variables; a full disk must not keep it from its work."""
    try:
        interval.note(supervisor.state.ticks, supervisor.clock.now())
        child_environ.note(supervisor.state.environ, supervisor.environ)
    except OSError as error:
        if not is_pressure(error):
            raise
        emit("pressure", what=f"noting that a tick came ({error.strerror})")


def _enqueue_recurring(supervisor: Supervisor, from_cron: bool) -> None:
    """Enqueue schedules that are due, before depths are read: their consumers are started by the same tick.

    The configuration of a tick that a consumer runs may be older than what cron's ticks have read since.
    """
    stored = supervisor.transport.schedules()
    if stored or supervisor.settings.schedules:
        from cronq.supervisor.schedule_runner import run_due

        run_due(supervisor, stored, from_cron)


def see(supervisor: Supervisor) -> Sight:
    """Look at everything a decision needs; change nothing."""
    settings, state, clock = supervisor.settings, supervisor.state, supervisor.clock
    held = supervisor.transport.held()  # before the slots: see find_dead
    seen = slots.survey(state)
    by_name = {one.name: one for one in seen}
    signalled = overdue_list.read(state)
    dead, strays = _gone(held, by_name, clock.now(), signalled)
    rescuable = {one.held.holder: one.held.messages for one in dead}
    return Sight(
        now=clock.now(),
        monotonic=clock.monotonic(),
        interval_s=interval.current(state, settings.interval_s),
        slots=seen,
        depth=_depths(supervisor, sum(rescuable.values())),
        dead=dead,
        strays=strays,
        has_successor=frozenset(one.name for one in seen if locks.holder_pid(state.successor(one.name)) is not None),
        backoff={group.name: backoff.read(state.backoff(group.name)) for group in settings.groups},
        paused_until=paused_until(state),
        signalled=signalled,
        memory_mb=sum(process.memory_mb(one.pid) for one in seen if one.pid is not None and not one.is_inline),
    )


def carry_out(supervisor: Supervisor, plan: Plan) -> None:
    """Do what the plan says, in its order."""
    _rescue(supervisor, plan)
    _extend(supervisor, supervisor.transport.held())
    _stop_overdue(supervisor.state, plan)
    for group, found in plan.backoff.items():
        backoff.write(supervisor.state.backoff(group), found)
        delay_s = found.until - supervisor.clock.monotonic()
        if delay_s > 0:
            emit("backed_off", group=group, deaths=found.deaths, delay_s=delay_s)
    _start(supervisor, [*plan.start, *plan.succeed])


def _rescue(supervisor: Supervisor, plan: Plan) -> None:
    if plan.rescue:
        from cronq.supervisor.rescue import rescue

        rescue(supervisor.transport, plan.rescue)


def _start(supervisor: Supervisor, targets: Sequence[str]) -> None:
    """Start consumers, until the host has no room for another."""
    if not targets:
        return
    from cronq.supervisor import launches
    from cronq.supervisor.spawn import consume_command

    together = [targets] if supervisor.settings.spawn == "fork" else [[target] for target in targets]
    for some in together:
        command = consume_command(supervisor.settings, supervisor.state, some, supervisor.environ)
        if not supervisor.start(command):
            emit("pressure", what="another process", targets=some)
            return
        for target in some:
            if "." not in target:  # a successor is nobody more
                launches.note(supervisor.state, target, supervisor.clock.monotonic())
            emit("spawned", target=target)


def _gone(
    held: Sequence[Held], by_name: Mapping[str, Seen], now: float, signalled: Collection[str]
) -> tuple[Sequence[Dead], Sequence[str]]:
    """Return the dead among those that hold messages, and the slots that others of them have lost."""
    if not held:
        return (), ()
    from cronq.supervisor.rescue import find_dead, strays

    return find_dead(held, by_name, now, signalled), strays(held, by_name)


def _depths(supervisor: Supervisor, rescued: int) -> dict[str, int]:
    """Return the ready messages per group, counted no further than its maximum can tell apart."""
    depths, settings = {}, supervisor.settings
    for group in settings.groups:
        enough = group.autoscale.desired_size * group.autoscale.max
        depths[group.name] = min(enough, supervisor.transport.depth(settings.unpaused(group.queues), enough) + rescued)
    return depths


def _extend(supervisor: Supervisor, held: Sequence[Held]) -> None:
    """Lengthen the reservations of this host's living consumers, so that no other host takes them for dead."""
    now = supervisor.clock.now()
    lapse_s = interval.lapse_s(interval.current(supervisor.state, supervisor.settings.interval_s))
    mine = process.host_name() + "/"
    for one in held:
        if one.holder.startswith(mine) and one.until < now + lapse_s / 2:
            supervisor.transport.extend(one.holder, now + lapse_s)


def _stop_overdue(state: StateDir, plan: Plan) -> None:
    told = {}
    for stop in plan.stop:
        number = signal.SIGKILL if stop.kill else signal.SIGTERM
        if process.send(stop.note.holder, number):
            emit("stopped", signal=number.name, holder=stop.note.holder, reason=stop.reason)
            told[str(stop.note.holder)] = stop.told_at
    overdue_list.write(state, told)


def paused_until(state: StateDir) -> float:
    """Return until when `cronq stop --for` wants nothing started.

    An empty file says it by its time: on a full disk that can be set, and nothing can be written.
    """
    text = read_text(state.stop)
    try:
        return os.stat(state.stop).st_mtime if text == "" else float(text or 0)
    except (ValueError, FileNotFoundError):
        return 0.0


def is_pressure(error: BaseException) -> bool:
    """Tell whether an error means that the host has no room now, which a tick bears in silence."""
    if isinstance(error, TransportError):
        return error.pressure
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in process.PRESSURE)

"""cronq stop: let consumers finish their message and leave."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import click

from cronq import events
from cronq.cli.common import configured, duration, settings_of
from cronq.cli.text import at, count, say, span
from cronq.config.durations import format_duration
from cronq.errors import CronqError
from cronq.host import locks, process
from cronq.host.log import EventLog
from cronq.host.requirements import no_consumers
from cronq.host.state_dir import StateDir, rewrite_text
from cronq.messages.holder import Holder
from cronq.supervisor import slots
from cronq.supervisor.tick import is_pressure, paused_until

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOK_S = 0.05
QUIET_S = 0.5  # idle consumers are gone sooner, and need no mention
TICK_LASTS_S = 5.0


@configured("stop")
@click.option("--for", "for_s", type=duration, help="Start no new consumers for so long, such as 1h; 0 ends that.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until all have left.")
@click.option("--timeout", "timeout_s", type=duration, default=60, show_default=True, help="Wait no longer than this.")
def command(context: click.Context, for_s: float | None, wait: bool, timeout_s: float) -> int:
    """Ask all consumers to finish the message they run and to leave.

    After a deployment, plain `cronq stop` is enough: the next tick starts new ones, with the new code. Web requests
    that work inline are not disturbed.

    Example: cronq stop --for 1h
    """
    if not process.HAS_CONSUMERS:
        raise no_consumers("stop")
    state = StateDir(settings_of(context).state_dir)
    state.prepare()
    events.listeners.append(EventLog(state.log, "stop"))
    if for_s == 0:
        return _end_hold(state)
    until = time.time() + for_s if for_s else paused_until(state)
    asked = _ask_all(state, until)
    if wait:
        _wait(state, asked, timeout_s)
    say(_what_was_done(len(asked), wait))
    say(_what_comes(until))
    return 0


def _end_hold(state: StateDir) -> int:
    if paused_until(state) <= time.time():
        say("nothing was held back")
        return 0
    _write(state, 0.0)
    say("the hold is over: the next tick starts consumers")
    return 0


def _ask_all(state: StateDir, until: float) -> list[Holder]:
    """Write the stop file and signal everybody. Under the tick's lock: none is started between the two."""
    lock = locks.take(state.tick_lock, within_s=TICK_LASTS_S)
    try:
        _write(state, until)
        return [holder for holder in (*_successors(state), *_consumers(state)) if _ask(holder)]
    finally:
        if lock is not None:
            lock.release()


def _write(state: StateDir, until: float) -> None:
    """Write until when nothing is to be started; on a full disk an empty file says that by its time."""
    try:
        rewrite_text(state.stop, f"{until:.3f}\n")
    except OSError as error:
        if not is_pressure(error):
            raise
        now = time.time()
        os.utime(state.stop, (now, max(now, until)))


def _ask(holder: Holder) -> bool:
    if not process.send(holder, signal.SIGTERM):
        return False
    events.emit("stopped", signal="SIGTERM", holder=holder, reason="cronq stop")
    return True


def _successors(state: StateDir) -> list[Holder]:
    """Return who waits to take a slot over: they go first, or they would."""
    waiting = ((seen.name, locks.holder_pid(state.successor(seen.name))) for seen in slots.survey(state))
    return [holder for name, pid in waiting if pid is not None and (holder := _identified(f"{name}.next", pid))]


def _consumers(state: StateDir) -> list[Holder]:
    """Return who consumes, or is about to. Web processes at work inline are not ours to signal."""
    live = [seen for seen in slots.survey(state) if seen.is_live and not seen.is_inline]
    found = (seen.live_note.holder if seen.live_note else _identified(seen.name, seen.pid or 0) for seen in live)
    return [holder for holder in found if holder is not None]


def _identified(name: str, pid: int) -> Holder | None:
    """Return the process of which the kernel just said that it holds a lock, in a form that outlives its pid."""
    started = process.start_of(pid)
    return None if started is None else Holder(process.host_name(), name, pid, started, process.boot_id())


def _wait(state: StateDir, asked: Sequence[Holder], timeout_s: float) -> None:
    """Return when all are gone. Raises CronqError when that takes too long."""
    started = time.monotonic()
    told: list[Holder] = []
    while left := [holder for holder in asked if process.runs(holder)]:
        waited_s = time.monotonic() - started
        if waited_s >= timeout_s:
            raise CronqError(
                f"after {format_duration(timeout_s)} {_names(state, left)} still at work: they leave when their "
                f"message ends; what hangs past its timeout, the tick kills"
            )
        if waited_s >= QUIET_S and left != told:
            told = left
            say(f"waiting for {_names(state, left)}", err=True)
        time.sleep(LOOK_S)


def _names(state: StateDir, holders: Sequence[Holder]) -> str:
    return ", ".join(f"{holder.slot} (pid {holder.pid}{_doing(state, holder)})" for holder in holders)


def _doing(state: StateDir, holder: Holder) -> str:
    note = slots.see(state, holder.slot).live_note
    return "" if note is None or note.is_idle else f", busy for {span(time.monotonic() - note.since)}"


def _what_was_done(asked: int, waited: bool) -> str:
    if not asked:
        return "no consumer was live"
    return f"{count(asked, 'consumer')} left" if waited else f"asked {count(asked, 'consumer')} to leave"


def _what_comes(until: float) -> str:
    if until <= time.time():
        return "the next tick starts new consumers"
    return f"nothing is started until {at(until)}; `cronq stop --for 0` ends that"

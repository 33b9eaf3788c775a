"""`cronq tick` without click: load the configuration, tick, be silent."""

from __future__ import annotations

import os
import sys

from cronq import events
from cronq.clock import SystemClock
from cronq.config.cache import load_quickly
from cronq.errors import ConfigError, CronqError
from cronq.host.log import EventLog
from cronq.host.process import HAS_CONSUMERS
from cronq.host.shared_places import refuse_temporary
from cronq.host.state_dir import StateDir, read_text, replace_text
from cronq.supervisor.tick import Supervisor, is_pressure, tick
from cronq.transports.schemes import make_transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.config.settings import Settings
    from cronq.supervisor.plan import Plan
    from cronq.supervisor.spawn import Command, Starter

BUSY_TIMEOUT_S = 0.1  # for each of four tries: a tick is gone within a second, the next one does the rest
COMPLAIN_EVERY_S = 3600.0


def tick_once(config: str | None) -> int:
    """Tick as cron does. Silent and 0 when all is well or the host has no room; a problem is printed once an hour."""
    settings = load_quickly(config, os.environ, SystemClock().now())
    return attempt(make_supervisor(settings, _start))[1]


def attempt(supervisor: Supervisor) -> tuple[Plan | None, int]:
    """Tick, and return what was done, if anything was, with the exit code for cron."""
    mail = _Mail()
    events.listeners.append(mail)
    try:
        plan = tick(supervisor)
    except (CronqError, OSError, MemoryError) as error:
        if is_pressure(error):
            events.emit("pressure", what=f"a whole tick ({error})")
            return None, 0
        return None, _complain(supervisor.state, error)
    _forget_complaint(supervisor.state)
    return plan, int(mail.has_lines)


class _Mail:
    """What cron is to mail though the tick went well: it comes once for each thing that happened."""

    def __init__(self) -> None:
        self.has_lines = False

    def __call__(self, name: str, facts: Mapping[str, object]) -> None:
        if name == "schedule_stopped":
            from cronq.host.event_words import words_for

            self.has_lines = True
            sys.stderr.write(f"cronq tick: {words_for(name, facts)}\n")


def _start(command: Command) -> bool:
    from cronq.supervisor.spawn import Detached

    return Detached()(command)


def make_supervisor(settings: Settings, start: Starter) -> Supervisor:
    """Return what a tick works with; the state directory is made or refused here.

    Raises StateDirError, also where temporary files are kept, UsageError where no consumers can live, and ConfigError
    when there is no configuration: its consumers would have nothing to import.
    """
    if settings.path is None and settings.app is None:  # cron was not told where, and starts in $HOME
        from cronq.config.complaint_words import no_file

        raise ConfigError(no_file(settings.base_dir))
    if not HAS_CONSUMERS:
        from cronq.host.requirements import no_consumers

        raise no_consumers("tick")
    refuse_temporary(settings.state_dir)
    state = StateDir(settings.state_dir)
    state.prepare()
    events.listeners.append(EventLog(state.log, "tick"))
    clock = SystemClock()
    transport = make_transport(settings, clock, BUSY_TIMEOUT_S)
    return Supervisor(settings, state, transport, clock, start, os.environ)


def _complain(state: StateDir, error: BaseException) -> int:
    """Tell the person whom cron mails to, but not the same thing every minute."""
    path = f"{state.run}/complaint"
    now = SystemClock().now()
    try:
        told_at, _, told = (read_text(path) or "").partition(" ")
        is_known = told == str(error) and 0 <= now - float(told_at) < COMPLAIN_EVERY_S
        if not is_known:
            replace_text(path, f"{int(now)} {error}")
    except (OSError, ValueError):  # nothing can be noted here, which may be the very problem: it is told every time
        is_known = False
    if not is_known:
        from cronq.cli.error_text import complaint
        from cronq.escape import escaped

        said = complaint(error) if isinstance(error, CronqError) else escaped(str(error))
        sys.stderr.write(f"cronq tick: {said}\n")
    return 1


def _forget_complaint(state: StateDir) -> None:
    """All is well again: the next problem is told at once."""
    try:
        os.unlink(f"{state.run}/complaint")
    except FileNotFoundError:
        pass

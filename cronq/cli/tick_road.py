"""`cronq tick` without click: load the configuration, tick, be silent."""

from __future__ import annotations

import os

from cronq import events
from cronq.clock import SystemClock
from cronq.config.cache import load_quickly
from cronq.config.file import NAME, VARIABLE
from cronq.errors import ConfigError, CronqError, StateDirError
from cronq.host.log import EventLog
from cronq.host.process import HAS_CONSUMERS, HAS_OWNERS
from cronq.host.shared_places import refuse_temporary
from cronq.host.state_dir import StateDir
from cronq.supervisor.tick import Supervisor, is_pressure, tick
from cronq.transports.schemes import make_transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from cronq.config.settings import Settings
    from cronq.supervisor.plan import Plan
    from cronq.supervisor.spawn import Command, Starter

BUSY_TIMEOUT_S = 0.1  # for each of four tries: a tick is gone within a second, the next one does the rest
LOOK_EVERY_S = 3600.0  # at all that `cronq status` looks at, though nothing seems to be wrong: it takes 60 ms
_WORTH_A_LOOK = frozenset({"backed_off", "pressure", "schedule_refused"})


def tick_once(config: str | None) -> int:
    """Tick as cron does, silent and with 0. What breaks, or is well again, is told once, with 1."""
    return for_cron(config, lambda settings: attempt(make_supervisor(settings, _start), config)[1])


def for_cron(config: str | None, work: Callable[[Settings], int]) -> int:
    """Do what cron called for. That it could not begin is told once, and remembered outside the state directory."""
    try:
        return work(load_quickly(config, os.environ, SystemClock().now()))
    except (ConfigError, StateDirError) as error:
        from cronq.cli.cron_mail import refused

        return refused(_place_outside(config), error, SystemClock().now())


def attempt(supervisor: Supervisor, config: str | None, notes_starts: bool = True) -> tuple[Plan | None, int]:
    """Tick, and return what was done, if anything was, with the exit code for cron.

    `notes_starts`: what is started are processes, of which it is remembered whether they came.
    """
    heard, began, outside = _Hearing(), supervisor.clock.monotonic(), _place_outside(config)
    events.listeners.append(heard)
    try:
        plan = tick(supervisor)
        if notes_starts and (heard.started or heard.refused):
            _note_starts(supervisor, began, heard)
    except (CronqError, OSError, MemoryError) as error:
        from cronq.cli.cron_mail import failed

        if is_pressure(error):
            events.emit("pressure", what=f"a whole tick ({error})")
        return None, failed(supervisor, outside, error)
    if plan is None or not (heard.is_worth_a_look or heard.happened or _is_look_due(supervisor, outside)):
        return plan, 0
    from cronq.cli.cron_mail import ticked

    return plan, ticked(supervisor, outside, heard.happened)


class _Hearing:
    """What is heard of a tick that may be for the person whom cron mails.

    `happened` is what comes once and never stands, as the facts of an event. `started` and `refused` are the groups for
    which the host had room for a consumer, or had not.
    """

    def __init__(self) -> None:
        self.is_worth_a_look = False
        self.happened: list[Mapping[str, object]] = []
        self.started: set[str] = set()
        self.refused: set[str] = set()

    def __call__(self, name: str, facts: Mapping[str, Any]) -> None:
        self.is_worth_a_look = self.is_worth_a_look or name in _WORTH_A_LOOK
        if name == "schedule_stopped":
            self.happened.append(facts)
        elif name == "spawned":
            self.started.add(str(facts["target"]))
        elif name == "pressure":
            self.refused.update(map(str, facts.get("targets", ())))


def _note_starts(supervisor: Supervisor, began: float, heard: _Hearing) -> None:
    """Remember what was started, save successors: who comes in their place is there already."""
    from cronq.supervisor import starts

    groups = {group.name for group in supervisor.settings.groups}
    try:
        is_vain = starts.note(supervisor.state, began, heard.started & groups, heard.refused & groups)
        heard.is_worth_a_look = heard.is_worth_a_look or is_vain
    except OSError as error:
        if not is_pressure(error):
            raise


def _is_look_due(supervisor: Supervisor, outside: str) -> bool:
    """Tell whether something stands that may be over by now, or the last look at everything is long ago."""
    try:
        found = os.stat(supervisor.state.told)
    except FileNotFoundError:
        return True
    age_s = supervisor.clock.now() - found.st_mtime
    return found.st_size > 1 or not 0 <= age_s < LOOK_EVERY_S or os.path.lexists(outside)


def _place_outside(config: str | None) -> str:
    """Return where a tick remembers what it told before it knew its state directory.

    Beside the configuration, in the directory in which Python and `config.cache` keep what is of no loss; where that
    is not ours, at home.
    """
    named = os.path.abspath(os.path.expanduser(config or os.environ.get(VARIABLE) or NAME))
    directory, name = os.path.split(named)
    try:
        if HAS_OWNERS and os.lstat(directory).st_uid == os.geteuid():
            return f"{directory}/__pycache__/{name}.told"
    except OSError:
        pass  # it is not there, or not for us to see
    return f"{os.path.expanduser('~')}/.local/state/cronq/{named.replace('/', '%')[-200:]}.told"


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

"""cronq crontab: the one line that keeps everything going."""

from __future__ import annotations

import os
from time import time
from typing import TYPE_CHECKING

import click

from cronq.cli import cronline, crontab
from cronq.cli.common import configured, settings_with_file
from cronq.cli.text import say
from cronq.host.shared_places import refuse_temporary
from cronq.host.state_dir import StateDir
from cronq.supervisor import interval

if TYPE_CHECKING:
    from cronq.config.settings import Settings


SEEN_BY_CRON = {"CRONQ_ENV", "CRONQ_CONFIG"}  # one goes into the line, the other is its --config


@configured("crontab")
@click.argument("action", type=click.Choice(["print", "install", "remove"]), default="print")
@click.option("--every", type=click.IntRange(1, 59), default=1, show_default=True, help="Tick every so many minutes.")
@click.option("--flock", "with_flock", is_flag=True, help="Wrap the tick in `flock -n`, for hosts that ask for it.")
def command(context: click.Context, action: str, every: int, with_flock: bool) -> int:
    """Print, install or remove the crontab line of this configuration.

    No other line of the crontab is touched, nor one that runs something else as well. Where there is no `crontab`
    program, paste the line into the panel of your host.

    Example: cronq crontab install --every 5
    """
    settings = settings_with_file(context)
    if action == "remove":
        return _remove(settings)
    if action == "install":
        refuse_temporary(settings.state_dir)
    line = crontab.tick_line(settings, every, with_flock)
    if with_flock:
        StateDir(settings.state_dir).prepare()  # flock makes its file, not the directory
    _say_what_cron_will_not_see()
    if action == "print":
        say(line)
        return 0
    return _install(settings, line, every)


def _install(settings: Settings, line: str, every: int) -> int:
    try:
        changed = crontab.change(settings, lambda text: cronline.installed(text, line, str(settings.path)))
    except crontab.CrontabError as error:
        by_hand = f"This is the line, to install by hand or in your host's panel:\n{line}"
        raise crontab.CrontabError(f"{error}\n{by_hand}") from error
    interval.plan(StateDir(settings.state_dir).interval, every * 60.0, time())
    say("installed:" if changed else "already there:")
    say(line)
    _say_what_was_left(settings)
    return 0


def _remove(settings: Settings) -> int:
    changed = crontab.change(settings, lambda text: cronline.removed(text, str(settings.path)))
    interval.forget_plan(StateDir(settings.state_dir).interval)
    is_left = _say_what_was_left(settings)
    if changed or not is_left:
        say(f"removed the line for {settings.path}" if changed else f"no line of the crontab is for {settings.path}")
    return 1 if is_left else 0


def _say_what_was_left(settings: Settings) -> bool:
    """Name the lines that tick as well and run something else: whoever wrote them knows what is to stay of them."""
    numbers = cronline.shared(crontab.read(), str(settings.path))
    for number in numbers:
        say(
            f"note: line {number} of the crontab runs `cronq tick` beside another command, so it was left as it is: "
            f"take the tick out of it by `crontab -e`",
            err=True,
        )
    return bool(numbers)


def _say_what_cron_will_not_see() -> None:
    """Name variables that steer cronq now: they may hold secrets, and a crontab is no place for those."""
    lost = sorted(name for name in os.environ if name.startswith("CRONQ_") and name not in SEEN_BY_CRON)
    if lost:
        say(f"note: cron will not see {', '.join(lost)}: the tick knows only cronq.toml", err=True)

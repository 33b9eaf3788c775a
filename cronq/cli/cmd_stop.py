"""cronq stop: let consumers finish their message and leave."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import click

from cronq import events
from cronq.cli.common import DURATION, config_option, settings_of
from cronq.cli.words import at, count, span
from cronq.errors import CronqError
from cronq.host import locks, process
from cronq.host.log import EventLog
from cronq.host.state_dir import StateDir, replace_text
from cronq.supervisor import slots
from cronq.supervisor.tick import paused_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.holder import Holder

LOOK_S = 0.05
TICK_LASTS_S = 5.0


@click.command("stop")
@click.option("--for", "for_s", type=DURATION, help="Start no new consumers for so long, such as 1h; 0 ends that.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until all have left.")
@click.option("--timeout", "timeout_s", type=DURATION, default=60, show_default=True, help="Wait no longer than this.")
@config_option
@click.pass_context
def command(context: click.Context, for_s: float | None, wait: bool, timeout_s: float) -> int:
    """Ask all consumers to finish the message they run and to leave.

    After a deployment, plain `cronq stop` is enough: the next tick starts new ones, with the new code. Web requests
    that work inline are not disturbed.

    Example: cronq stop --for 1h
    """
    state = StateDir(settings_of(context).state_dir)
    state.prepare()
    events.listeners.append(EventLog(state.log, "stop"))
    if for_s == 0:
        return _end_hold(state)
    until = time.time() + for_s if for_s else 0.0
    asked = _ask(state, until)
    if wait and asked:
        _wait(state, asked, timeout_s)
    done = "have left" if wait else "are asked to leave"
    click.echo(f"{count(len(asked), 'consumer')} {done if len(asked) != 1 else done.replace('have', 'has').replace('are', 'is')}"
               if asked else "no consumer is live")
    click.echo(f"nothing is started until {at(until)}; `cronq stop --for 0` ends that" if until else "the next tick starts new consumers")
    return 0

"""cronq tick: what cron runs every minute."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from cronq.cli.common import configured, settings_of
from cronq.cli.text import count, say
from cronq.cli.tick_road import attempt, for_cron, make_supervisor, tick_once
from cronq.supervisor.spawn import LAST_STOP

if TYPE_CHECKING:
    from cronq.config.settings import Settings
    from cronq.supervisor.plan import Plan
    from cronq.supervisor.spawn import Command
    from cronq.supervisor.tick import Supervisor


@configured("tick")
@click.option(
    "--wait",
    "mode",
    flag_value="wait",
    help="Stay until the consumers end: for hosts that kill what a cron job leaves behind.",
)
@click.option(
    "--run", "mode", flag_value="run", help="Consume in this process: for hosts that let cron start no other."
)
@click.option("--dry-run", "mode", flag_value="dry", help="Print what a tick would do now, and do nothing.")
def command(context: click.Context, mode: str | None) -> int:
    """Count consumers, rescue, scale, start what is missing, and exit.

    Example: * * * * * /home/ada/venv/bin/cronq tick --config /home/ada/shop/cronq.toml
    """
    if mode is None:
        return tick_once(context.obj)
    if mode == "dry":
        return _show_plan(settings_of(context))
    work = {"wait": _tick_and_wait, "run": _tick_and_consume}[mode]
    return for_cron(context.obj, lambda settings: work(settings, context.obj))


def _tick_and_wait(settings: Settings, config: str | None) -> int:
    from cronq.supervisor.spawn import Attached

    starter = Attached()
    settings = settings._replace(spawn="exec")  # a forked consumer is nobody's child
    _, code = attempt(make_supervisor(settings, starter), config)
    starter.wait()
    return code


def _tick_and_consume(settings: Settings, config: str | None) -> int:
    """Tick without starting anything, then be the first consumer that it would have started."""
    from cronq.runtime.assignment import assignment
    from cronq.runtime.consumer_process import consume

    plan, code = attempt(make_supervisor(settings, _as_started), config, notes_starts=False)
    started = [*plan.start, *plan.succeed] if plan else []
    return consume(settings, assignment(settings, started[0])) if started else code


def _as_started(command: Command) -> bool:
    """Let this process pass for what the tick has started: a `cronq stop` from now on is meant for it, too."""
    os.environ[LAST_STOP] = command.env[LAST_STOP]
    return True


def _show_plan(settings: Settings) -> int:
    from cronq.supervisor.plan import decide
    from cronq.supervisor.spawn import Detached
    from cronq.supervisor.tick import see

    supervisor = make_supervisor(settings, Detached())
    sight = see(supervisor)
    for line in (*_lines(decide(settings, sight), sight.interval_s, settings), *_schedule_lines(supervisor)):
        say(line)
    return 0


def _schedule_lines(supervisor: Supervisor) -> list[str]:
    from cronq.supervisor.schedule_runner import due_now

    return [
        f"schedule {one.schedule.name}: "
        + (f"enqueue {count(len(one.messages), 'message')}" if one.messages else "drop the runs that were missed")
        for one in due_now(supervisor)
    ]


def _lines(plan: Plan, interval_s: float, settings: Settings) -> list[str]:
    lines = [f"interval {interval_s:.0f} s, at most {settings.max_processes} consumers in all"]
    for group, wanted in plan.wanted.items():
        starts = plan.start.count(group)
        lines.append(f"{group}: {plan.live[group]} live, {wanted} wanted, {starts} to start")
    lines += [f"rescue {one.held.messages} messages of {one.held.holder}: {one.evidence.cause}" for one in plan.rescue]
    lines += [f"{'kill' if stop.kill else 'end'} {stop.note.holder}: {stop.reason}" for stop in plan.stop]
    lines += [f"{slot}: start a successor" for slot in plan.succeed]
    return lines

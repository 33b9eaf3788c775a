"""cronq schedule: what recurs, when it ran, when it comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cronq.cli.common import app_of, config_option, json_option, print_json, settings_of
from cronq.cli.text import at_zoned, count, print_lines, red, say, table
from cronq.errors import CronqError, UsageError
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app import App
    from cronq.app.schedule_status import ScheduleStatus
    from cronq.messages.message import Message
    from cronq.schedules.stored import StoredSchedule


@click.group("schedule", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context) -> int:
    """List recurring tasks, run one now, resume one that has stopped.

    Without a command it lists them, as `cronq schedule list`.

    Example: cronq schedule run nightly
    """
    return int(context.invoke(show_all)) if context.invoked_subcommand is None else 0


@command.command("list")
@json_option
@config_option
@click.pass_context
def show_all(context: click.Context, as_json: bool = False) -> int:
    """Show every schedule with its last and its next run, and how the last one ended.

    Exits with 1 when one is refused or has stopped after failures. Times are in this host's own zone. Of H fields
    the list shows what they stand for, and what was written in brackets.

    Example: cronq schedule list --json
    """
    app, _ = _registered(context)
    found = app.schedules.list()
    if as_json:
        print_json([one.as_data() for one in found])
    elif not found:
        say('no schedules: @app.cron("30 2 * * *") above a task, or [schedule.NAME] in cronq.toml, makes one')
    else:
        _show(found)
    return 1 if any(one.trouble for one in found) else 0


@command.command("run")
@click.argument("name")
@config_option
@click.pass_context
def run(context: click.Context, name: str) -> None:
    """Enqueue one schedule's task now, whenever it is due, and print the id of the message.

    Example: cronq schedule run nightly
    """
    app, stored = _registered(context)
    if app.settings.transport.startswith("memory:"):
        raise UsageError("transport = memory:// lives in one process: a message enqueued from here would be lost")
    one = _named(name, stored)
    if one.refused is not None:
        raise CronqError(escaped(one.refused))
    say(_run(app, one).id)


@command.command("resume")
@click.argument("name")
@config_option
@click.pass_context
def resume(context: click.Context, name: str) -> int:
    """Let a schedule go on that has stopped after failures.

    Its failures so far are forgotten. Exits with 1 when it had not stopped.

    Example: cronq schedule resume nightly
    """
    app, stored = _registered(context)
    one = _named(name, stored)
    if app.schedules.resume(name):
        say(f"{name} goes on")
        return 0
    say(f"{name} had not stopped" + (f": {one.refused}" if one.refused else ""), err=True)
    return 1


@command.command("remove")
@click.argument("name")
@config_option
@click.pass_context
def remove(context: click.Context, name: str) -> None:
    """Forget a schedule that a program added with `app.schedules.add`.

    Example: cronq schedule remove report-42
    """
    app, stored = _registered(context)
    _named(name, stored)
    app.schedules.remove(name)


def _named(name: str, stored: Sequence[StoredSchedule]) -> StoredSchedule:
    one = next((one for one in stored if one.name == name), None)
    if one is None:
        known = escaped(", ".join(one.name for one in stored)) or "none yet"
        raise UsageError(f"schedule {name!r}: there is none of that name; there are {known}")
    return one


def _run(app: App, one: StoredSchedule) -> Message:
    from cronq.schedules.spec import message_of
    from cronq.supervisor.firing import run_now

    if not app.settings.transport.startswith("sync:"):
        return run_now(app.installation, one)
    message = message_of(one, app.clock.now())
    _send(app, message)
    return message


def _send(app: App, message: Message) -> None:
    try:
        app.enqueuer.send([message])
    except CronqError:
        raise
    except Exception as error:  # sync:// runs the task here, and its own error comes out of it
        raise CronqError(escaped(f"the task failed: {type(error).__name__}: {error}")) from error


def _registered(context: click.Context) -> tuple[App, list[StoredSchedule]]:
    """Return the app and its schedules, those that no consumer has seen yet among them."""
    app = app_of(settings_of(context))
    return app, app.declarations.register()


def _show(found: Sequence[ScheduleStatus]) -> None:
    print_lines(table([("name", "cron", "tz", "last run", "next run", "last result"), *map(_row, found)]))
    for one in found:
        if one.trouble is not None:
            print_lines([red(f"! {one.trouble}")])


def _row(one: ScheduleStatus) -> tuple[str, ...]:
    cron = one.cron if one.cron == one.written else f"{one.cron} ({one.written})"
    last, then = ("-" if time is None else at_zoned(time) for time in (one.last_at, one.next_at))
    return (one.name, cron, one.tz, last, then, _result(one))


def _result(one: ScheduleStatus) -> str:
    result = one.last_result or "-"
    if one.last_error is not None:
        result += f": {one.last_error}"
    if one.failures > 1:
        result += f", {one.failures} in a row"
    return f"{result}; {count(one.skipped, 'run')} skipped meanwhile" if one.skipped else result

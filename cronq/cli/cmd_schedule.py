"""cronq schedule: what recurs, when it ran, when it comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import app_of, config_option, json_option, print_json, settings_of
from cronq.cli.words import at, bold, columns, printable, red
from cronq.errors import CronqError, UsageError

if TYPE_CHECKING:
    from cronq.app import App
    from cronq.message import Message
    from cronq.transports.base import StoredSchedule, Transport


@click.group("schedule", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context) -> None:
    """List recurring tasks, or run one now.

    Without a command it lists them, as `cronq schedule list`.

    Example: cronq schedule run nightly
    """
    if context.invoked_subcommand is None:
        context.invoke(show_all)


@command.command("list")
@json_option
@config_option
@click.pass_context
def show_all(context: click.Context, as_json: bool = False) -> int:
    """Show every schedule of the code and the configuration.

    Exits with 1 when one is refused. Last and next runs are in this host's own time.

    Example: cronq schedule list --json
    """
    app, stored = _registered(context)
    found = [_facts(app.transport, one) for one in stored]
    if as_json:
        print_json(found)
    elif not found:
        click.echo('no schedules: @app.cron("30 2 * * *") above a task, or [schedule.NAME] in cronq.toml, makes one')
    else:
        _show(found)
    return 1 if any(one["refused"] for one in found) else 0


@command.command("run")
@click.argument("name")
@config_option
@click.pass_context
def run(context: click.Context, name: str) -> None:
    """Enqueue one schedule's task now, whenever it is due, and print the id of the message.

    Example: cronq schedule run nightly
    """
    from cronq.supervisor.recurring import message_of

    app, stored = _registered(context)
    if app.settings.transport.startswith("memory:"):
        raise UsageError("transport = memory:// lives in one process: a message enqueued from here would be lost")
    one = next((one for one in stored if one.name == name), None)
    if one is None:
        known = ", ".join(one.name for one in stored) or "none yet"
        raise UsageError(f"schedule {name!r}: there is none of that name; there are {known}")
    if one.refused is not None:
        raise CronqError(one.refused)
    message = message_of(one, app.clock.now())
    _send(app, message)
    click.echo(message.id)


def _send(app: App, message: Message) -> None:
    try:
        app.send([message])
    except CronqError:
        raise
    except Exception as error:  # sync:// runs the task here, and its own error comes out of it
        raise CronqError(f"the task failed: {type(error).__name__}: {error}") from error


def _registered(context: click.Context) -> tuple[App, list[StoredSchedule]]:
    """Return the app and its schedules, those that no consumer has seen yet among them."""
    from cronq.app.timetable import register

    app = app_of(settings_of(context))
    return app, register(app)


def _facts(transport: Transport, one: StoredSchedule) -> dict[str, Any]:
    from cronq.supervisor.recurring import spec_of

    return {
        "name": one.name,
        "source": one.source,
        **spec_of(one),
        "last_at": one.last_at,
        "next_at": one.next_at,
        "last_message_id": one.last_message_id,
        "last_result": _last_result(transport, one),
        "refused": one.refused,
    }


def _last_result(transport: Transport, one: StoredSchedule) -> str | None:
    """Return how the last run stands. A message that is gone was acked, or removed by a person."""
    if one.last_message_id is None:
        return None
    record = transport.find(one.last_message_id)
    if record is None:
        return "done"
    return f"{record.state}: {record.error}" if record.error else str(record.state)


def _show(found: list[dict[str, Any]]) -> None:
    head, *lines = columns([("name", "cron", "tz", "last run", "next run", "last result"), *map(_row, found)])
    click.echo(bold(head))
    for line in lines:
        click.echo(line)
    for one in found:
        if one["refused"]:
            click.echo(red(f"! {printable(one['refused'])}"))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    last, then = (at(one[key]) if one[key] is not None else "-" for key in ("last_at", "next_at"))
    return (one["name"], one["cron"], one["tz"], last, then, printable(one["last_result"] or "-")[:60])

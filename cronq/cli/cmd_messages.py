"""cronq messages: look at single messages, and cancel what has not begun."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli.common import bare_app, config_option, json_option, print_json, settings_of
from cronq.cli.portrait import as_data, attempts_made, show_record
from cronq.cli.selecting import SHOWN, known, pages
from cronq.cli.words import bold, columns, count, escaped, span
from cronq.ids import enqueued_at
from cronq.message import State
from cronq.transports.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.message import Record


@click.group("messages", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context) -> None:
    """List messages, show one, or cancel some.

    Without a command it lists them, as `cronq messages list`.

    Example: cronq messages list --state delayed
    """
    if context.invoked_subcommand is None:
        context.invoke(show_all)


@command.command("list")
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only those in this state.")
@click.option("--queue", help="Only those of this queue.")
@click.option("--limit", type=click.IntRange(1), help="At most so many of each state.")
@json_option
@config_option
@click.pass_context
def show_all(
    context: click.Context,
    state: str | None = None,
    queue: str | None = None,
    limit: int | None = None,
    as_json: bool = False,
) -> None:
    """List messages, in each state in the order in which they will leave it.

    Example: cronq messages list --state ready --queue high
    """
    app = bare_app(settings_of(context))
    states = list(State) if state is None else [State(state)]
    selections = [Selection(one, queue) for one in states]
    found = [record for one in selections for page in pages(app, one, limit or SHOWN) for record in page]
    if as_json:
        print_json([as_data(record) for record in found])
        return
    for line in _table(found):
        click.echo(line)


@command.command("show")
@click.argument("message_id", metavar="ID")
@json_option
@config_option
@click.pass_context
def show(context: click.Context, message_id: str, as_json: bool) -> None:
    """Show everything about one message.

    Example: cronq messages show 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    record = known(bare_app(settings_of(context)), message_id)
    show_record(record, as_json)


@command.command("cancel")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@config_option
@click.pass_context
def cancel(context: click.Context, ids: tuple[str, ...]) -> int:
    """Remove messages that are not being run.

    Exits with 1 when one of them is being run: it runs to its end.

    Example: cronq messages cancel 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    app = bare_app(settings_of(context))
    records = [known(app, one) for one in dict.fromkeys(ids)]
    removed = app.transport.remove([record.message.id for record in records])
    click.echo(f"cancelled {count(removed, 'message')}")
    running = [one for one in (app.transport.find(record.message.id) for record in records) if one is not None]
    for record in running:
        click.echo(f"{record.message.id} is being run by {escaped(record.holder or 'a consumer')}: it was left alone")
    return 1 if running else 0


def _table(records: Sequence[Record]) -> list[str]:
    now = time.time()
    rows = [("id", "task", "queue", "state", "age", "attempts", ""), *(_row(record, now) for record in records)]
    head, *lines = columns(rows, frozenset({4, 5}))
    return [bold(head), *lines]


def _row(record: Record, now: float) -> tuple[str, ...]:
    message = record.message
    age = span(max(0.0, now - enqueued_at(message.id)))
    names = (escaped(message.task), escaped(message.queue), str(record.state))
    return (message.id, *names, age, attempts_made(message), _note(record, now))


def _note(record: Record, now: float) -> str:
    at = record.message.available_at
    if record.state is State.DELAYED:
        return f"in {span(at - now)}" if at > now else "due"
    return escaped(record.holder or "")

"""cronq failed: look at what was given up, put it back, or remove it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import bare_app, config_option, duration, json_option, print_json, settings_of
from cronq.cli.message_portrait import as_data, attempts_made, error_line, show_record
from cronq.cli.message_selection import PAGE, SHOWN, Filters, chosen, failed, filter_options, pages
from cronq.cli.text import count, print_lines, say, span, table
from cronq.errors import UsageError
from cronq.escape import escaped
from cronq.host.bell import ring
from cronq.messages.message import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.app import App
    from cronq.messages.message import Record


@click.group("failed", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context) -> None:
    """List what was given up, retry or remove it.

    Without a command it lists them, as `cronq failed list`.

    Example: cronq failed retry --task shop.tasks.send_mail --error SMTPServerDisconnected
    """
    if context.invoked_subcommand is None:
        context.invoke(show_all)


@command.command("list")
@filter_options
@json_option
@config_option
@click.pass_context
def show_all(context: click.Context, /, as_json: bool = False, **options: Any) -> None:
    """List failed messages, the longest failed first.

    Example: cronq failed list --error ConnectionError --older-than 2h
    """
    app = bare_app(settings_of(context))
    filters = Filters(**options)
    limit = filters.limit or SHOWN
    found = [one for page in pages(app, filters.selection(time.time()), limit + 1) for one in page]
    shown, more = found[:limit], found[limit:]
    if as_json:
        print_json([as_data(record) for record in shown])
        return
    print_lines(_table(shown))
    if more and filters.limit is None:
        say(f"... and more: --limit shows more than {limit}")


@command.command("show")
@click.argument("message_id", metavar="ID")
@json_option
@config_option
@click.pass_context
def show(context: click.Context, message_id: str, as_json: bool) -> None:
    """Show everything about one failed message: arguments, attempts, traceback.

    Example: cronq failed show 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    record = failed(bare_app(settings_of(context)), message_id)
    show_record(record, as_json)


@command.command("retry")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@filter_options
@click.option("--all", "everything", is_flag=True, help="Every failed message.")
@click.option("--every", "every_s", type=duration, default=0, help="One after so long, such as 2s, not all at once.")
@click.option("--edit", is_flag=True, help="Change the arguments of one message in $EDITOR first.")
@config_option
@click.pass_context
def retry(
    context: click.Context,
    /,
    ids: tuple[str, ...],
    everything: bool,
    every_s: float,
    edit: bool,
    **options: Any,
) -> int:
    """Put failed messages back into their queues, with all attempts before them.

    Example: cronq failed retry --task shop.tasks.send_mail --every 2s
    """
    settings = settings_of(context)
    app = bare_app(settings)
    if edit and len(ids) != 1:
        raise UsageError("--edit: give the id of one message")
    found = chosen(app, ids, Filters(**options), everything)
    if edit:
        from cronq.cli.argument_editor import edited

        body = edited(settings, failed(app, ids[0]).message)
        if body is None:
            say("nothing was saved: the message stays where it is")
            return 1
        app.transport.amend(ids[0], body)
    first_at, revived = time.time(), 0
    for number, chunk in enumerate(_chunks(found)):
        revived += app.transport.revive(chunk, first_at + number * PAGE * every_s, every_s)
    _wake(app)
    lasts = f", one every {span(every_s)}" if every_s and revived > 1 else ""
    say(f"put {count(revived, 'message')} back{lasts}")
    return 0


@command.command("remove")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@filter_options
@click.option("--all", "everything", is_flag=True, help="Every failed message.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@click.pass_context
def remove(context: click.Context, /, ids: tuple[str, ...], everything: bool, yes: bool, **options: Any) -> None:
    """Delete failed messages for good.

    Example: cronq failed remove --error Expired --older-than 7d --yes
    """
    app = bare_app(settings_of(context))
    found = chosen(app, ids, Filters(**options), everything)
    if found and not yes:
        click.confirm(f"delete {count(len(found), 'failed message')} for good?", abort=True)
    removed = sum(app.transport.remove(chunk, State.FAILED) for chunk in _chunks(found))
    say(f"removed {count(removed, 'message')}")


def _table(records: Sequence[Record]) -> list[str]:
    now = time.time()
    rows = [("id", "task", "queue", "failed", "attempts", "error"), *(_row(record, now) for record in records)]
    return table(rows, frozenset({3, 4}))


def _row(record: Record, now: float) -> tuple[str, ...]:
    message = record.message
    age = span(max(0.0, now - (record.finished_at or now)))
    return (
        message.id,
        escaped(message.task),
        escaped(message.queue),
        age,
        attempts_made(message),
        error_line(record),
    )


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Return ids in parts: each is one transaction, and consumers must not wait long for the write lock."""
    return (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))


def _wake(app: App) -> None:
    """Wake idle consumers, also for what comes later: they sleep until the next message that they know of."""
    for queue in {queue for group in app.settings.groups for queue in group.queues}:
        ring(app.state.wake(queue))

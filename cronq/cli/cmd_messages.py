"""cronq messages: look at single messages, cancel what has not begun, stop what runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli.common import bare_app, config_option, json_option, print_json, settings_of
from cronq.cli.message_portrait import as_data, attempts_made, show_record
from cronq.cli.message_selection import SHOWN, known, pages
from cronq.cli.text import count, print_lines, say, span, table
from cronq.escape import escaped
from cronq.messages.ids import enqueued_at
from cronq.messages.message import WAITING, State
from cronq.messages.reasons import in_words
from cronq.transports.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.message import Record
    from cronq.supervisor.stop_request import Reach

ONE_OF_MANY = "; a call of several messages ends when all of them are stopped"


@click.group("messages", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context) -> None:
    """List messages, show one, cancel or stop some.

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
    print_lines(_table(found))


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
    """Remove messages that wait: ready, delayed or blocked.

    What would follow a step of a chain never comes; the callback of a group waits for a part no longer. Exits with 1
    when one of them does not wait: one that is being run goes on (see `cronq messages stop`).

    Example: cronq messages cancel 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    app = bare_app(settings_of(context))
    records = [known(app, one) for one in dict.fromkeys(ids)]
    removed = app.transport.cancel([record.message.id for record in records])
    say(f"cancelled {count(removed, 'message')}")
    left = [one for one in (app.transport.find(record.message.id) for record in records) if one is not None]
    for record in left:
        say(f"{record.message.id} {_why_left(record)}: it was left alone")
    return 1 if left else 0


def _why_left(record: Record) -> str:
    if record.state is State.RESERVED:
        return f"is being run by {escaped(record.holder or 'a consumer')}"
    if record.state is State.FAILED:
        return "has failed (`cronq failed remove` removes it)"
    return f"does not wait, it is {record.state}"


@command.command("stop")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@config_option
@click.pass_context
def stop(context: click.Context, ids: tuple[str, ...]) -> int:
    """End messages that are being run; they go to the failure queue.

    TaskStopped is raised in the task; one that looks at `context.should_stop` has 5 seconds to end by itself. What
    runs in a web process or on another host ends only by that. Exits with 1 when one of them is not being run.

    Example: cronq messages stop 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    from cronq.supervisor.stop_request import stop as stop_messages

    app = bare_app(settings_of(context))
    found = [known(app, one) for one in dict.fromkeys(ids)]  # now: the first may have ended before the last is told of
    reached = stop_messages(app.transport, [record.message.id for record in found])
    for record in found:
        say(f"{record.message.id} {_what_comes(reached.get(record.message.id), record)}")
    return 0 if len(reached) == len(found) else 1


def _what_comes(reach: Reach | None, record: Record) -> str:
    from cronq.supervisor.stop_request import Reach

    if reach is None:
        return "is not being run" + (": `cronq messages cancel` removes it" if record.state in WAITING else "")
    if reach is Reach.TOLD:
        return "is being stopped: its consumer was told" + (ONE_OF_MANY if record.message.gather > 1 else "")
    if reach is Reach.GONE:
        return "is not run again: its consumer is gone"
    return f"is asked to stop: {reach.value}, so it ends when its task looks at context.should_stop"


def _table(records: Sequence[Record]) -> list[str]:
    now = time.time()
    rows = [("id", "task", "queue", "state", "age", "attempts", ""), *(_row(record, now) for record in records)]
    return table(rows, frozenset({4, 5}))


def _row(record: Record, now: float) -> tuple[str, ...]:
    message = record.message
    age = span(max(0.0, now - enqueued_at(message.id)))
    names = (escaped(message.task), escaped(message.queue), str(record.state))
    return (message.id, *names, age, attempts_made(message), _note(record, now))


def _note(record: Record, now: float) -> str:
    at = record.message.available_at
    if record.state is State.DELAYED:
        return f"in {span(at - now)}" if at > now else "due"
    if record.state is State.BLOCKED:
        return escaped(f"waits for {in_words(record.blocked_by or '?')}")
    return escaped(record.holder or "")

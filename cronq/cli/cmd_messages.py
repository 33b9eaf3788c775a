"""cronq messages: look at single messages, cancel what has not begun, stop what runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli import completions
from cronq.cli.answer import Answer, Tell, json_option
from cronq.cli.collection import Collection
from cronq.cli.message_lists import all_messages
from cronq.cli.message_log import log_of
from cronq.cli.message_portrait import log_block, portrait
from cronq.cli.message_selection import (
    SHOWN,
    Body,
    all_known,
    args_option,
    cut_note,
    found,
    gathered,
    ids_argument,
    known,
    no_message,
    records,
)
from cronq.cli.short_ids import ShortIds
from cronq.cli.text import count, say
from cronq.escape import escaped
from cronq.messages.message import WAITING, State
from cronq.namedtuple import NamedTuple
from cronq.transports.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.app import App
    from cronq.messages.message import Record
    from cronq.supervisor.stop_request import Reach

ONE_OF_MANY = "; a call of several messages ends when all of them are stopped"


command: Collection = Collection(
    "messages", "List messages, show one, cancel or stop some.", example="cronq messages list --state delayed"
)


class Wanted(NamedTuple):
    """The options of the list, as click gives them."""

    state: str | None
    queue: str | None
    task: str | None
    limit: int

    def selections(self) -> list[Selection]:
        states = list(State) if self.state is None else [State(self.state)]
        return [Selection(state, self.queue, self.task) for state in states]


def wanted_options(function: Body) -> Body:
    """Add what selects messages to a command, which receives it as `wanted`."""
    return gathered("wanted", Wanted, _WANTED, function)


_WANTED = (
    click.option("--state", type=click.Choice([str(state) for state in State]), help="Only those in this state."),
    click.option("--queue", shell_complete=completions.queues, help="Only those of this queue."),
    click.option("--task", shell_complete=completions.tasks, help="Only those of this task, by its whole name."),
    click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="So many of each state."),
)


@command.has("list")
@wanted_options
@args_option
@json_option
def show_all(app: App, wanted: Wanted, with_args: bool, tell: Tell) -> None:
    """List messages, in each state in the order in which they will leave it.

    Example: cronq messages list --state ready --queue high --args
    """
    pages = [(one, list(records(app, one, wanted.limit))) for one in wanted.selections()]
    listed = [record for _, page in pages for record in page]

    def notes() -> Iterator[str]:
        for selection, page in pages:
            yield from cut_note(app, selection, len(page), wanted.limit, str(selection.state))

    listing = all_messages(time.time(), ShortIds(app, [one.message.id for one in listed]), with_args)
    tell(listing.of(listed, notes))


@command.has("show")
@click.argument("message_id", metavar="ID", shell_complete=completions.message_ids)
@click.option("--log", "with_log", is_flag=True, help="Also what the event log has of it, even when it is gone.")
@json_option
def show(app: App, message_id: str, with_log: bool, tell: Tell) -> None:
    """Show everything about one message.

    Example: cronq messages show 0195b4c8d7a3 --log
    """
    if not with_log:
        tell(portrait(known(app, message_id)))
        return
    record = found(app, message_id)
    log = log_of(app.state, record.message.id if record else message_id.lower())
    if record is None and not log:
        raise no_message(message_id)
    tell(portrait(record, log) if record else Answer(lambda: log_block(log), lambda: {"id": message_id, "log": log}))


@command.has("cancel")
@ids_argument(completions.waiting_ids)
def cancel(app: App, ids: tuple[str, ...]) -> int:
    """Remove messages that wait: ready, delayed or blocked.

    What would follow a step of a chain never comes; the callback of a group waits for a part no longer. Exits with 1
    when one of them does not wait: one that is being run goes on (see `cronq messages stop`).

    Example: cronq messages cancel 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    meant = all_known(app, ids)
    removed = app.transport.cancel([record.message.id for record in meant])
    say(f"cancelled {count(removed, 'message')}")
    left = [one for one in (app.transport.find(record.message.id) for record in meant) if one is not None]
    for record in left:
        say(f"{record.message.id} {_why_left(record)}: it was left alone")
    return 1 if left else 0


def _why_left(record: Record) -> str:
    if record.state is State.RESERVED:
        return f"is being run by {escaped(record.holder or 'a consumer')}"
    if record.state is State.FAILED:
        return "has failed (`cronq failed remove` removes it)"
    return f"does not wait, it is {record.state}"


@command.has("stop")
@ids_argument(completions.running_ids)
def stop(app: App, ids: tuple[str, ...]) -> int:
    """End messages that are being run; they go to the failure queue.

    TaskStopped is raised in the task; one that looks at `context.should_stop` has 5 seconds to end by itself. What
    runs in a web process or on another host ends only by that. Exits with 1 when one of them is not being run.

    Example: cronq messages stop 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    from cronq.supervisor.stop_request import stop as stop_messages

    meant = all_known(app, ids)  # now: the first may have ended before the last is told of
    reached = stop_messages(app.transport, [record.message.id for record in meant])
    for record in meant:
        say(f"{record.message.id} {_what_comes(reached.get(record.message.id), record)}")
    return 0 if len(reached) == len(meant) else 1


def _what_comes(reach: Reach | None, record: Record) -> str:
    from cronq.supervisor.stop_request import Reach

    if reach is None:
        return "is not being run" + (": `cronq messages cancel` removes it" if record.state in WAITING else "")
    if reach is Reach.TOLD:
        return "is being stopped: its consumer was told" + (ONE_OF_MANY if record.message.gather > 1 else "")
    if reach is Reach.GONE:
        return "is not run again: its consumer is gone"
    return f"is asked to stop: {reach.value}, so it ends when its task looks at context.should_stop"

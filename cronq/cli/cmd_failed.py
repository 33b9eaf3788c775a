"""cronq failed: look at what was given up, put it back, or remove it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli import completions
from cronq.cli.answer import Answer, Tell, json_option
from cronq.cli.collection import Collection
from cronq.cli.common import duration
from cronq.cli.database import is_used
from cronq.cli.failure_statistics import by_task_and_class, listed
from cronq.cli.message_lists import failed_messages
from cronq.cli.message_portrait import portrait
from cronq.cli.message_selection import (
    COUNTED,
    PAGE,
    SHOWN,
    Choice,
    Filters,
    args_option,
    choice_options,
    cut_note,
    failed,
    filter_options,
    records,
)
from cronq.cli.short_ids import ShortIds
from cronq.cli.text import count, say, span
from cronq.errors import UsageError
from cronq.host.bell import ring
from cronq.messages.message import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.app import App
    from cronq.transports.selection import Selection


command: Collection = Collection(
    "failed",
    "List what was given up, retry or remove it.",
    example="cronq failed retry --task shop.tasks.send_mail --error SMTPServerDisconnected",
)


@command.has("list")
@filter_options
@args_option
@click.option("--stats", is_flag=True, help="Only count them, by task and class of exception.")
@json_option
def show_all(app: App, filters: Filters, with_args: bool, stats: bool, tell: Tell) -> None:
    """List failed messages, the longest failed first.

    Example: cronq failed list --error ConnectionError --older-than 2h
    """
    now, limit = time.time(), filters.limit or SHOWN
    selection = filters.selection(now)
    if stats:
        tell(_statistics(app, selection._replace(at_most=filters.limit or COUNTED), now))
        return
    shown = list(records(app, selection, limit))
    listing = failed_messages(now, ShortIds(app, [one.message.id for one in shown]), with_args)
    tell(listing.of(shown, lambda: cut_note(app, selection, len(shown), limit, "failed")))


def _statistics(app: App, selection: Selection, now: float) -> Answer:
    counted = by_task_and_class(app.transport.statistics(selection)) if is_used(app.settings) else []
    whole = sum(one.number for one in counted)
    longest = "; those that failed the longest ago were counted" if whole >= selection.at_most else ""
    return listed(now).of(counted, lambda: [f"{count(whole, 'message')}{longest}"] if counted else [])


@command.has("show")
@click.argument("message_id", metavar="ID", shell_complete=completions.failed_ids)
@json_option
def show(app: App, message_id: str, tell: Tell) -> None:
    """Show everything about one failed message: arguments, attempts, traceback.

    Example: cronq failed show 0195b4c8d7a37c008a1f0e6b1c2d3e4f
    """
    tell(portrait(failed(app, message_id)))


@command.has("retry")
@choice_options
@click.option("--every", "every_s", type=duration, default=0, help="One after so long, such as 2s, not all at once.")
@click.option("--edit", is_flag=True, help="Change the arguments of one message in $EDITOR first.")
def retry(app: App, choice: Choice, every_s: float, edit: bool) -> int:
    """Put failed messages back into their queues, with all attempts before them.

    Example: cronq failed retry --task shop.tasks.send_mail --every 2s
    """
    if edit and len(choice.ids) != 1:
        raise UsageError("--edit: give the id of one message")
    found = choice.settled(app)
    if edit:
        from cronq.cli.argument_editor import edited

        message = edited(app.settings, failed(app, found[0]).message)
        if message is None:
            say("nothing was saved: the message stays where it is")
            return 1
        app.transport.amend(message.id, message.body, message.headers)
    first_at, revived = time.time(), 0
    for number, chunk in enumerate(_chunks(found)):
        revived += app.transport.revive(chunk, first_at + number * PAGE * every_s, every_s)
    _wake(app)
    lasts = f", one every {span(every_s)}" if every_s and revived > 1 else ""
    say(f"put {count(revived, 'message')} back{lasts}")
    return 0


@command.has("remove")
@choice_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(app: App, choice: Choice, yes: bool) -> None:
    """Delete failed messages for good.

    Example: cronq failed remove --error Expired --older-than 7d --yes
    """
    found = choice.settled(app)
    if found and not yes:
        click.confirm(f"delete {count(len(found), 'failed message')} for good?", abort=True)
    removed = sum(app.transport.remove(chunk, State.FAILED) for chunk in _chunks(found))
    say(f"removed {count(removed, 'message')}")


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Return ids in parts: each is one transaction, and consumers must not wait long for the write lock."""
    return (ids[start : start + PAGE] for start in range(0, len(ids), PAGE))


def _wake(app: App) -> None:
    """Wake idle consumers, also for what comes later: they sleep until the next message that they know of."""
    for queue in {queue for group in app.settings.groups for queue in group.queues}:
        ring(app.state.wake(queue))

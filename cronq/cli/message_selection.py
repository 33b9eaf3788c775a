"""Which messages a command is about: ids, or filters. Shared by `cronq failed` and `cronq messages`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cronq.cli.common import duration
from cronq.cli.database import is_used
from cronq.errors import UsageError
from cronq.escape import escaped
from cronq.messages.message import State
from cronq.namedtuple import NamedTuple
from cronq.transports.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cronq.app import App
    from cronq.messages.message import Record

F = TypeVar("F", bound="Callable[..., Any]")

PAGE = 500
SHOWN = 50


class Filters(NamedTuple):
    """The options that select failed messages, as click gives them."""

    task: str | None = None
    queue: str | None = None
    error_class: str | None = None
    older_than_s: float | None = None
    limit: int | None = None

    def selection(self, now: float) -> Selection:
        until = None if self.older_than_s is None else now - self.older_than_s
        return Selection(State.FAILED, self.queue, self.task, self.error_class, until)


def filter_options(function: F) -> F:
    """Add the filters to a command; it receives them as keywords that make a `Filters`."""
    options = (
        click.option("--task", help="Only messages of this task, by its whole name."),
        click.option("--queue", help="Only messages of this queue."),
        click.option(
            "--error",
            "error_class",
            metavar="CLASS",
            help="Only those that an exception of this class ended; also Killed, OutOfMemory, HostGone, Expired.",
        ),
        click.option("--older-than", "older_than_s", type=duration, help="Only what failed so long ago, such as 2h."),
        click.option("--limit", type=click.IntRange(1), help="At most so many, the longest failed first."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def pages(app: App, selection: Selection, limit: int | None = None) -> Iterator[list[Record]]:
    """Return a selection page by page. A transport that was never used has none."""
    left = limit
    while is_used(app.settings) and (left is None or left > 0):
        at_most = PAGE if left is None else min(PAGE, left)
        page = app.transport.select(selection._replace(at_most=at_most))
        if page:
            yield page
        if len(page) < at_most:
            return
        selection = selection._replace(after=page[-1])
        left = None if left is None else left - len(page)


def chosen(app: App, ids: Sequence[str], filters: Filters, everything: bool) -> list[str]:
    """Return the ids of the failed messages meant. They are settled before anything is done to the first of them:

    a message that fails again meanwhile is not met twice. Raises UsageError when it is not clear which are meant.
    """
    by_filters = any(value is not None for value in filters)
    if ids and (by_filters or everything):
        raise UsageError("give ids, or filters, not both")
    if ids:
        return [failed(app, one).message.id for one in dict.fromkeys(ids)]
    if not by_filters and not everything:
        raise UsageError("say which: ids, filters such as --task or --older-than, or --all")
    found = pages(app, filters.selection(time.time()), filters.limit)
    return [record.message.id for page in found for record in page]


def known(app: App, message_id: str) -> Record:
    """Return one message. Raises UsageError when there is none of that id."""
    record = app.transport.find(message_id) if is_used(app.settings) else None
    if record is None:
        raise UsageError(f"there is no message {escaped(message_id)}: it is done and gone, or never was")
    return record


def failed(app: App, message_id: str) -> Record:
    """Return one failed message. Raises UsageError for any other."""
    record = known(app, message_id)
    if record.state is not State.FAILED:
        raise UsageError(f"message {record.message.id} has not failed, it is {record.state}: see `cronq messages show`")
    return record

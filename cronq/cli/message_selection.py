"""Which messages a command is about: ids, or filters. Shared by `cronq failed` and `cronq messages`."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from cronq.cli import completions
from cronq.cli.common import duration
from cronq.cli.database import is_used
from cronq.cli.short_ids import whole_id
from cronq.errors import UsageError
from cronq.escape import escaped
from cronq.messages.message import State
from cronq.namedtuple import NamedTuple
from cronq.transports.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.app import App
    from cronq.cli.completions import Completer
    from cronq.messages.message import Record

Body = Callable[..., Any]

PAGE = 500
SHOWN = 50
COUNTED = 100_000  # so many are counted when asked to, in about a second where errors are long
NOTED = 10_000  # ... and so many for a note below a list


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


class Choice(NamedTuple):
    """Which failed messages a person means: those of these ids, those that pass the filters, or every one."""

    ids: tuple[str, ...]
    filters: Filters
    everything: bool

    def settled(self, app: App) -> list[str]:
        """Return the ids of the messages meant. They are settled before anything is done to the first of them:

        a message that fails again meanwhile is not met twice. Raises UsageError when it is not clear which are meant.
        """
        by_filters = any(value is not None for value in self.filters)
        if self.ids and (by_filters or self.everything):
            raise UsageError("give ids, or filters, not both")
        if self.ids:
            return list(dict.fromkeys(failed(app, one).message.id for one in self.ids))
        if not by_filters and not self.everything:
            raise UsageError("say which: ids, filters such as --task or --older-than, or --all")
        return [one.message.id for one in records(app, self.filters.selection(time.time()), self.filters.limit)]


args_option: Callable[[Body], Body] = click.option(
    "--args", "with_args", is_flag=True, help="Show the arguments of each, in a line below it."
)


def ids_argument(completer: Completer) -> Callable[[Body], Body]:
    """Add one or more ids to a command, which receives them as `ids`."""
    return click.argument("ids", metavar="ID...", nargs=-1, required=True, shell_complete=completer)


def filter_options(function: Body) -> Body:
    """Add the filters to a command, which receives them as `filters`."""
    return gathered("filters", Filters, _FILTERS, function)


def choice_options(function: Body) -> Body:
    """Add ids, the filters and `--all` to a command, which receives them as `choice`."""
    everything = click.option("--all", "everything", is_flag=True, help="Every failed message.")
    ids = click.argument("ids", metavar="[ID]...", nargs=-1, shell_complete=completions.failed_ids)
    return filter_options(gathered("choice", Choice, [ids, everything], function))


def gathered(name: str, kind: Any, options: Sequence[Callable[[Body], Body]], function: Body) -> Body:
    """Add options to a command, which receives them as one value of a kind whose fields are named like them."""

    @wraps(function)
    def body(*words: Any, **given: Any) -> Any:
        value = kind(**{field: given.pop(field) for field in kind._fields})
        return function(*words, **given, **{name: value})

    made: Body = body
    for option in reversed(options):
        made = option(made)
    return made


_FILTERS = (
    click.option("--task", shell_complete=completions.tasks, help="Only messages of this task, by its whole name."),
    click.option("--queue", shell_complete=completions.queues, help="Only messages of this queue."),
    click.option(
        "--error",
        "error_class",
        metavar="CLASS",
        help="Only those that an exception of this class ended; also Killed, OutOfMemory, HostGone, Expired.",
    ),
    click.option("--older-than", "older_than_s", type=duration, help="Only what failed so long ago, such as 2h."),
    click.option("--limit", type=click.IntRange(1), help="At most so many, the longest failed first."),
)


def records(app: App, selection: Selection, limit: int | None = None) -> Iterator[Record]:
    """Return a selection, read page by page. A transport that was never used has none."""
    left = limit
    while is_used(app.settings) and (left is None or left > 0):
        at_most = PAGE if left is None else min(PAGE, left)
        page = app.transport.select(selection._replace(at_most=at_most))
        yield from page
        if len(page) < at_most:
            return
        selection = selection._replace(after=page[-1])
        left = None if left is None else left - len(page)


def counted(app: App, selection: Selection) -> int:
    """Return how many a selection has, at most `NOTED`."""
    return sum(one.number for one in app.transport.statistics(selection._replace(at_most=NOTED)))


def cut_note(app: App, selection: Selection, shown: int, limit: int, what: str) -> Iterator[str]:
    """Return what a list says that shows `shown` of a selection, nothing when these are all."""
    if shown < limit:
        return
    there = counted(app, selection)
    if there > shown:
        yield f"{shown} of {at_least(there)} {what}: --limit shows more"


def at_least(number: int) -> str:
    return f"{number}+" if number >= NOTED else str(number)


def found(app: App, given: str) -> Record | None:
    """Return one message, by its id or the first digits of it. Raises UsageError when these name several."""
    message_id = whole_id(app.transport, given) if is_used(app.settings) else None
    return None if message_id is None else app.transport.find(message_id)


def known(app: App, given: str) -> Record:
    """Return one message as `found` does. Raises UsageError when there is none."""
    record = found(app, given)
    if record is None:
        raise no_message(given)
    return record


def no_message(given: str) -> UsageError:
    return UsageError(f"there is no message {escaped(given)}: it is done and gone, or never was")


def all_known(app: App, ids: Sequence[str]) -> list[Record]:
    """Return the messages of these ids, each once. Raises UsageError before anything is done to the first of them."""
    return list({record.message.id: record for record in (known(app, one) for one in ids)}.values())


def failed(app: App, message_id: str) -> Record:
    """Return one failed message. Raises UsageError for any other."""
    record = known(app, message_id)
    if record.state is not State.FAILED:
        raise UsageError(f"message {record.message.id} has not failed, it is {record.state}: see `cronq messages show`")
    return record

"""cronq queues: look at queues, and steer them."""

from __future__ import annotations

import time
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import click

from cronq.cli import completions
from cronq.cli.answer import Answer, Tell, json_option
from cronq.cli.collection import Collection
from cronq.cli.common import known_queues, refuse_unknown
from cronq.cli.database import database_of, is_used
from cronq.cli.lists import Column, Listing
from cronq.cli.pauses import Pauses
from cronq.cli.table_writer import Fit
from cronq.cli.text import ago, count, say, span
from cronq.errors import UsageError
from cronq.escape import escaped
from cronq.host import marks
from cronq.host.bell import ring
from cronq.messages.message import QueueCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app import App


command: Collection = Collection(
    "queues", "List queues, pause and resume them, or empty one.", example="cronq queues pause low"
)


@command.has("list")
@json_option
def show_all(app: App, tell: Tell) -> None:
    """Show how full every queue is.

    Example: cronq queues list --json
    """
    found = [_facts(app, one) for one in _counts(app).values()]
    tell(_LISTING.of(found))


@command.has("show")
@click.argument("queue", shell_complete=completions.queues)
@json_option
def show(app: App, queue: str, tell: Tell) -> None:
    """Show one queue, and the rules that the configuration has for it.

    Example: cronq queues show high
    """
    facts = _facts(app, _known(app, queue)) | {"rules": _rules(app, queue)}
    lines = [escaped(f"{name:<10}  {_shown(name, value)}") for name, value in facts.items()]
    tell(Answer(lambda: lines, lambda: facts))


@command.has("setup")
def setup(app: App) -> None:
    """Make the place that keeps the queues.

    Or bring it up to date. Every other command does so too, when it must.

    Example: cronq queues setup
    """
    app.state.prepare()
    app.transport.counts()
    say(f"{database_of(app.settings) or app.settings.transport} is ready")


@command.has("flush")
@click.argument("queue", shell_complete=completions.queues)
@click.option("--force", is_flag=True, help="Do it: there is no way back.")
def flush(app: App, queue: str, force: bool) -> None:
    """Delete what is in QUEUE.

    That is: ready, delayed, blocked and failed messages, and kept results; not what is being run.

    Example: cronq queues flush low --force
    """
    found = _known(app, queue)
    if not force:
        doomed = {state: getattr(found, state) for state in _STATES if state != "reserved"}
        parts = ", ".join(f"{number} {state}" for state, number in doomed.items())
        all_of_it = count(sum(doomed.values()), "message")
        raise UsageError(f"this would delete {all_of_it} of {queue} for good ({parts}): --force does it")
    deleted = app.transport.flush(queue)
    running = f"; {found.reserved} are being run" if found.reserved else ""
    say(f"deleted {count(deleted, 'message')} of {queue}{running}")


def _pause(app: App, queue: str) -> None:
    _known(app, queue)
    app.transport.pause(queue, paused=True)


def _resume(app: App, queue: str) -> str:
    waiting = _known(app, queue).ready
    if app.settings.queue(queue).paused:
        raise UsageError(f"{app.settings.path}: queues.{queue}.paused = true: set it to false, then it is served again")
    app.transport.pause(queue, paused=False)
    ring(app.state.wake(queue))
    return f"is served again, {count(waiting, 'message')} ready"


pauses: Pauses = Pauses(command, "QUEUE", completions.queues, example="low")
pauses.pause(_pause, "Let nothing be taken from QUEUE.")
pauses.resume(_resume, "Let messages be taken from QUEUE again.")


def _counts(app: App) -> dict[str, QueueCounts]:
    """Return the counts of all queues that the configuration knows or that hold anything."""
    held = {one.queue: one for one in app.transport.counts()} if is_used(app.settings) else {}
    names = dict.fromkeys([*known_queues(app.settings), *held])
    return {name: held.get(name) or QueueCounts(name) for name in names}


def _known(app: App, queue: str) -> QueueCounts:
    counts = _counts(app)
    refuse_unknown("queue", [queue], counts)
    return counts[queue]


def _facts(app: App, counts: QueueCounts) -> dict[str, Any]:
    now = time.time()
    facts = counts._asdict()
    oldest_at = facts.pop("oldest_at")
    del facts["more"]  # everything is counted here
    facts["paused"] = counts.paused or app.settings.queue(counts.queue).paused
    return facts | {
        "oldest_s": None if oldest_at is None else round(max(0.0, now - oldest_at), 3),
        "seen_s": marks.age_s(app.state.alive(counts.queue), now),
        "served_by": [group.name for group in app.settings.groups if counts.queue in group.queues],
    }


def _rules(app: App, queue: str) -> dict[str, Any]:
    rules = app.settings.queue(queue)._asdict()
    del rules["name"]
    return {name: dict(value) if name == "retry" else value for name, value in rules.items() if value}


def _cell(name: str) -> Callable[[dict[str, Any]], str]:
    return lambda facts: _shown(name, facts[name])


def _shown(name: str, value: Any) -> str:
    if name == "oldest_s":
        return "-" if value is None else span(value)
    if name == "seen_s":
        return ago(value)
    if name == "rules":
        return ", ".join(f"{rule} = {wanted}" for rule, wanted in value.items())
    if name == "served_by":
        return " ".join(value) or "nobody"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


_STATES = ("ready", "delayed", "blocked", "reserved", "failed", "done")
_LISTING: Listing[dict[str, Any]] = Listing(
    dict,
    Column("queue", itemgetter("queue"), Fit.NAME),
    *(Column(state, _cell(state), Fit.NUMBER) for state in _STATES),
    Column("oldest", _cell("oldest_s")),
    Column("served by", _cell("served_by"), Fit.TEXT),
    Column("", lambda facts: "paused" if facts["paused"] else ""),
)

"""cronq queues: look at queues, and steer them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import (
    bare_app,
    config_option,
    json_option,
    known_queues,
    print_json,
    refuse_unknown_queues,
    settings_of,
)
from cronq.cli.database import database_of, is_used
from cronq.cli.text import ago, count, print_lines, say, span, table
from cronq.errors import UsageError
from cronq.host import marks
from cronq.host.bell import ring
from cronq.messages.message import QueueCounts

if TYPE_CHECKING:
    from cronq.app import App


@click.group("queues", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context) -> None:
    """List queues, pause and resume them, or empty one.

    Without a command it lists them, as `cronq queues list`.

    Example: cronq queues pause low
    """
    if context.invoked_subcommand is None:
        context.invoke(show_all)


@command.command("list")
@json_option
@config_option
@click.pass_context
def show_all(context: click.Context, as_json: bool = False) -> None:
    """Show how full every queue is.

    Example: cronq queues list --json
    """
    app = bare_app(settings_of(context))
    found = [_facts(app, one) for one in _counts(app).values()]
    if as_json:
        print_json(found)
        return
    head = ("queue", "ready", "delayed", "blocked", "reserved", "failed", "done", "oldest ready", "served by", "")
    print_lines(table([head, *map(_row, found)], frozenset({1, 2, 3, 4, 5, 6})))


@command.command("show")
@click.argument("queue")
@json_option
@config_option
@click.pass_context
def show(context: click.Context, queue: str, as_json: bool) -> None:
    """Show one queue, and the rules that the configuration has for it.

    Example: cronq queues show high
    """
    app = bare_app(settings_of(context))
    facts = _facts(app, _known(app, queue)) | {"rules": _rules(app, queue)}
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        say(f"{name:<10}  {_shown(name, value)}")


@command.command("setup")
@config_option
@click.pass_context
def setup(context: click.Context) -> None:
    """Make the place that keeps the queues.

    Or bring it up to date. Every other command does so too, when it must.

    Example: cronq queues setup
    """
    app = bare_app(settings_of(context))
    app.state.prepare()
    app.transport.counts()
    say(f"{database_of(app.settings) or app.settings.transport} is ready")


@command.command("pause")
@click.argument("queue")
@config_option
@click.pass_context
def pause(context: click.Context, queue: str) -> None:
    """Let nothing be taken from QUEUE. What runs, runs to its end; new messages are accepted and wait.

    Example: cronq queues pause low
    """
    app = bare_app(settings_of(context))
    _known(app, queue)
    app.transport.pause(queue, paused=True)
    say(f"{queue} is paused; `cronq queues resume {queue}` ends that")


@command.command("resume")
@click.argument("queue")
@config_option
@click.pass_context
def resume(context: click.Context, queue: str) -> None:
    """Let messages be taken from QUEUE again.

    Example: cronq queues resume low
    """
    app = bare_app(settings_of(context))
    waiting = _known(app, queue).ready
    if app.settings.queue(queue).paused:
        raise UsageError(f"{app.settings.path}: queues.{queue}.paused = true: set it to false, then it is served again")
    app.transport.pause(queue, paused=False)
    ring(app.state.wake(queue))
    say(f"{queue} is served again, {count(waiting, 'message')} ready")


@command.command("flush")
@click.argument("queue")
@click.option("--force", is_flag=True, help="Do it: there is no way back.")
@config_option
@click.pass_context
def flush(context: click.Context, queue: str, force: bool) -> None:
    """Delete what is in QUEUE.

    That is: ready, delayed, blocked and failed messages, and kept results; not what is being run.

    Example: cronq queues flush low --force
    """
    app = bare_app(settings_of(context))
    found = _known(app, queue)
    if not force:
        doomed = found.ready + found.delayed + found.blocked + found.failed + found.done
        parts = ", ".join(
            f"{getattr(found, name)} {name}" for name in ("ready", "delayed", "blocked", "failed", "done")
        )
        raise UsageError(f"this would delete {count(doomed, 'message')} of {queue} for good ({parts}): --force does it")
    deleted = app.transport.flush(queue)
    running = f"; {found.reserved} are being run" if found.reserved else ""
    say(f"deleted {count(deleted, 'message')} of {queue}{running}")


def _counts(app: App) -> dict[str, QueueCounts]:
    """Return the counts of all queues that the configuration knows or that hold anything."""
    held = {one.queue: one for one in app.transport.counts()} if is_used(app.settings) else {}
    names = dict.fromkeys([*known_queues(app.settings), *held])
    return {name: held.get(name) or QueueCounts(name) for name in names}


def _known(app: App, queue: str) -> QueueCounts:
    counts = _counts(app)
    refuse_unknown_queues([queue], list(counts))
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


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    numbers = [str(facts[name]) for name in ("ready", "delayed", "blocked", "reserved", "failed", "done")]
    oldest = "-" if facts["oldest_s"] is None else span(facts["oldest_s"])
    paused = "paused" if facts["paused"] else ""
    return (facts["queue"], *numbers, oldest, " ".join(facts["served_by"]) or "nobody", paused)


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

"""cronq tasks: what the project can run, under which rules, and pausing single tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import app_of, config_option, json_option, known_queues, print_json, settings_with_file
from cronq.cli.database import is_used
from cronq.cli.text import count, print_lines, say, table
from cronq.errors import UnknownTaskError, UsageError
from cronq.host.bell import ring
from cronq.tasks.routing import DEFAULT_QUEUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app import App
    from cronq.tasks.task import Task

_SHOWN = ("timeout_s", "inline", "ack_first", "result_ttl_s", "unique", "debounce_s", "max_running", "rate", "isolated")


@click.group("tasks", invoke_without_command=True)
@config_option
@click.pass_context
def command(context: click.Context) -> None:
    """List tasks, pause and resume them.

    Without a command it lists them, as `cronq tasks list`.

    Example: cronq tasks pause shop.tasks.send_mail
    """
    if context.invoked_subcommand is None:
        context.invoke(show_all)


@command.command("list")
@json_option
@config_option
@click.pass_context
def show_all(context: click.Context, as_json: bool = False) -> None:
    """Show every task with its queue and the rules that are not the usual ones.

    Example: cronq tasks list --json
    """
    app = app_of(settings_with_file(context))
    paused = _paused(app)
    found = [_facts(app, task, paused) for task in sorted(app.registry, key=lambda task: task.name)]
    if as_json:
        print_json(found)
        return
    rows = [("task", "queue", "attempts", "rules", ""), *map(_row, found)]
    print_lines(table(rows, frozenset({2})))
    for name in sorted(set(paused) - {facts["task"] for facts in found}):
        say(f"{name} is paused, and is no task of this project: `cronq tasks resume {name}`")


@command.command("pause")
@click.argument("task")
@config_option
@click.pass_context
def pause(context: click.Context, task: str) -> None:
    """Let no message of TASK be taken. What runs, runs to its end; new messages are accepted and wait.

    Example: cronq tasks pause shop.tasks.send_mail
    """
    app = app_of(settings_with_file(context))
    _refuse_unknown(app, task)
    app.transport.pause_task(task, paused=True)
    say(f"{task} is paused; `cronq tasks resume {task}` ends that")


@command.command("resume")
@click.argument("task")
@config_option
@click.pass_context
def resume(context: click.Context, task: str) -> None:
    """Let messages of TASK be taken again.

    Example: cronq tasks resume shop.tasks.send_mail
    """
    app = app_of(settings_with_file(context))
    if task not in _paused(app):
        _refuse_unknown(app, task)
    before = _blocked(app)
    app.transport.pause_task(task, paused=False)
    freed = max(0, before - _blocked(app))
    for queue in known_queues(app.settings):
        ring(app.state.wake(queue))
    say(f"{task} runs again, {count(freed, 'message')} had waited for that")


def _paused(app: App) -> Sequence[str]:
    return app.transport.paused_tasks() if is_used(app.settings) else []


def _blocked(app: App) -> int:
    return sum(counts.blocked for counts in app.transport.counts())


def _refuse_unknown(app: App, task: str) -> None:
    try:
        app.registry.get(task)
    except UnknownTaskError as error:
        raise UsageError(str(error)) from None


def _facts(app: App, task: Task[..., Any], paused: Sequence[str]) -> dict[str, Any]:
    queue = task.options.queue or DEFAULT_QUEUE
    of_queue = app.settings.queue(queue)
    usual, rules = type(task.options)(), {}
    for name in _SHOWN:
        own, configured = getattr(task.options, name), getattr(of_queue, name, None)
        value = own if configured is None or name == "rate" else configured
        if value != getattr(usual, name):
            rules[name] = value
    return {
        "task": task.name,
        "queue": queue,
        "max_attempts": app.definitions.policy(task, queue).max_attempts,
        "rules": rules | ({"rate of its queue": of_queue.rate} if of_queue.rate else {}),
        "paused": task.name in paused,
    }


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    rules = ", ".join(f"{name} = {_shown(value)}" for name, value in facts["rules"].items())
    return (
        facts["task"],
        facts["queue"],
        str(facts["max_attempts"] or "any"),
        rules or "-",
        "paused" if facts["paused"] else "",
    )


def _shown(value: object) -> str:
    return getattr(value, "__name__", None) or str(value)

"""cronq tasks: what the project can run, under which rules, and pausing single tasks."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from cronq.cli import completions
from cronq.cli.answer import Tell, json_option
from cronq.cli.collection import Collection
from cronq.cli.common import known_queues, settings_with_file, whole_app_of
from cronq.cli.database import is_used
from cronq.cli.lists import Column, Listing
from cronq.cli.pauses import Pauses
from cronq.cli.table_writer import Fit
from cronq.cli.text import count
from cronq.errors import UnknownTaskError, UsageError
from cronq.escape import escaped
from cronq.host.bell import ring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app import App
    from cronq.tasks.task import Task

GONE = "{0} is paused, and is no task of this project: `cronq tasks resume {0}`"
_SHOWN = ("timeout_s", "inline", "ack_first", "result_ttl_s", "unique", "debounce_s", "max_running", "rate", "isolated")


command: Collection = Collection(
    "tasks",
    "List tasks, pause and resume them.",
    example="cronq tasks pause shop.tasks.send_mail",
    opened=lambda context: whole_app_of(settings_with_file(context)),
)


@command.has("list")
@json_option
def show_all(app: App, tell: Tell) -> None:
    """Show every task with its queue and the rules that are not the usual ones.

    Example: cronq tasks list --json
    """
    paused = _paused(app)
    found = [_facts(app, task, paused) for task in sorted(app.registry, key=lambda task: task.name)]
    gone = sorted(set(paused) - {facts["task"] for facts in found})
    tell(_LISTING.of(found, lambda: [escaped(GONE.format(name)) for name in gone]))


def _pause(app: App, task: str) -> None:
    _refuse_unknown(app, task)
    app.transport.pause_task(task, paused=True)


def _resume(app: App, task: str) -> str:
    if task not in _paused(app):
        _refuse_unknown(app, task)
    before = _blocked(app)
    app.transport.pause_task(task, paused=False)
    freed = max(0, before - _blocked(app))
    for queue in known_queues(app.settings):
        ring(app.state.wake(queue))
    return f"runs again, {count(freed, 'message')} had waited for that"


pauses: Pauses = Pauses(command, "TASK", completions.tasks, example="shop.tasks.send_mail")
pauses.pause(_pause, "Let no message of TASK be taken.")
pauses.resume(_resume, "Let messages of TASK be taken again.")


def _paused(app: App) -> Sequence[str]:
    return app.transport.paused_tasks() if is_used(app.settings) else []


def _blocked(app: App) -> int:
    return sum(counts.blocked for counts in app.transport.counts())


def _refuse_unknown(app: App, task: str) -> None:
    try:
        app.definitions.find(task)
    except UnknownTaskError as error:
        raise UsageError(str(error)) from None


def _facts(app: App, task: Task[..., Any], paused: Sequence[str]) -> dict[str, Any]:
    queues = app.definitions.queues_of(task)
    queue = queues[0]
    of_queue = app.settings.queue(queue)
    usual, rules = type(task.options)(), {}
    for name in _SHOWN:
        own, configured = getattr(task.options, name), getattr(of_queue, name, None)
        value = own if configured is None or name == "rate" else configured
        if value != getattr(usual, name):
            rules[name] = value
    return {
        "task": task.name,
        "queue": ", ".join(queues),
        "max_attempts": app.definitions.policy(task, queue).max_attempts,
        "rules": rules | ({"rate of its queue": of_queue.rate} if of_queue.rate else {}),
        "paused": task.name in paused,
    }


def _rules(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} = {_shown(value)}" for name, value in facts["rules"].items()) or "-"


def _shown(value: object) -> str:
    return getattr(value, "__name__", None) or str(value)


_LISTING: Listing[dict[str, Any]] = Listing(
    dict,
    Column("task", itemgetter("task"), Fit.NAME),
    Column("queue", itemgetter("queue"), Fit.NAME),
    Column("attempts", lambda facts: str(facts["max_attempts"] or "any"), Fit.NUMBER),
    Column("rules", _rules, Fit.TEXT),
    Column("", lambda facts: "paused" if facts["paused"] else ""),
)

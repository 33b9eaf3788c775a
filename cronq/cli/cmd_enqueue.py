"""cronq enqueue: put one call of a task into its queue, from a shell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import app_of, configured, duration, settings_of
from cronq.cli.direct_enqueue import refuse_to_lose, sending
from cronq.cli.text import say
from cronq.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app import App
    from cronq.tasks.task import Prepared, Task


@configured("enqueue")
@click.argument("task_name", metavar="TASK")
@click.argument("arguments", metavar="[ARGS]...", nargs=-1)
@click.option("--queue", help="Another queue than the task's own.")
@click.option("--delay", "delay_s", type=duration, default=0, help="Run it after so long at the earliest, such as 10m.")
@click.option("--priority", type=int, default=0, help="Higher ones of the same queue come first; 0 is normal.")
def command(
    context: click.Context, task_name: str, arguments: tuple[str, ...], queue: str | None, delay_s: float, priority: int
) -> None:
    """Enqueue TASK with ARGS and print the id of the message.

    ARGS are read as JSON where they are JSON, else as text: 3, true, null, '["a"]', ada@example.org. NAME=VALUE is a
    keyword argument. Text that looks like JSON needs quotes of its own: '"3"'. Put `--` before a negative number.

    Example: cronq enqueue shop.tasks.send_mail ada@example.org subject=Hello --delay 10m
    """
    settings = settings_of(context)
    app = app_of(settings)
    task = _find(app, task_name)
    refuse_to_lose(settings)
    args, kwargs = task.codec.from_json(*read_arguments(arguments))
    prepared = _prepared(task, queue=queue, delay_s=delay_s, priority=priority)
    with sending():
        sent = prepared.enqueue(*args, **kwargs)
    say(str(sent.id))


def read_arguments(words: Sequence[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return positional and keyword arguments. Raises UsageError for one given twice."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for word in words:
        name, is_keyword, value = word.partition("=")
        if not (is_keyword and name.isidentifier()):
            args.append(_value(word))
        elif name in kwargs:
            raise UsageError(f"argument {name!r} is given twice")
        else:
            kwargs[name] = _value(value)
    return args, kwargs


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _find(app: App, name: str) -> Task[..., Any]:
    """Return the task of that name. Raises UsageError with the nearest ones: by whole name, and by last part."""
    import difflib

    tasks = {task.name: task for task in app.registry}
    if name in tasks:
        return tasks[name]
    last = name.rpartition(".")[2]
    near = [known for known in tasks if difflib.get_close_matches(last, [known.rpartition(".")[2]])]
    near = list(dict.fromkeys([*near, *difflib.get_close_matches(name, tasks)]))[:3]
    hint = f"did you mean {' or '.join(near)}?" if near else f"this app has {', '.join(sorted(tasks)) or 'no tasks'}"
    raise UsageError(f"no task is named {name}; {hint}")


def _prepared(task: Task[..., Any], **delivery: Any) -> Prepared[..., Any]:
    try:
        return task.using(**delivery)
    except ValueError as error:
        raise UsageError(str(error)) from None

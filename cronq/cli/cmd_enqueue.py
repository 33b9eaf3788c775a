"""cronq enqueue: put one call of a task into its queue, from a shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronq.cli import completions
from cronq.cli.common import app_of, configured, duration, settings_of
from cronq.cli.direct_enqueue import refuse_to_lose, sending
from cronq.cli.task_call import call_arguments, call_of, task_named
from cronq.cli.text import say
from cronq.errors import UsageError

if TYPE_CHECKING:
    from cronq.tasks.task import Prepared, Task


@configured("enqueue")
@call_arguments
@click.option("--queue", shell_complete=completions.queues, help="Another queue than the task's own.")
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
    task = task_named(app, task_name)
    refuse_to_lose(settings)
    call = call_of(task, arguments)
    prepared = _prepared(task, queue=queue, delay_s=delay_s, priority=priority)
    with sending():
        sent = prepared.enqueue(*call.args, **call.kwargs)
    say(str(sent.id))


def _prepared(task: Task[..., Any], **delivery: Any) -> Prepared[..., Any]:
    try:
        return task.using(**delivery)
    except ValueError as error:
        raise UsageError(str(error)) from None

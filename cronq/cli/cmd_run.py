"""cronq run: one call of a task, here and now."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import app_of, configured, settings_of
from cronq.cli.direct_enqueue import refuse_to_lose, sending
from cronq.cli.project_traceback import traceback_of
from cronq.cli.task_call import call_arguments, call_of, task_named
from cronq.cli.text import say
from cronq.consumer.alarm import NoTimer
from cronq.consumer.local_attempts import LocalAttempts
from cronq.consumer.runnable import Runnable
from cronq.errors import ArgumentError, CronqError, UsageError
from cronq.escape import escaped_lines
from cronq.interruptions import is_interruption
from cronq.messages.message import Ack, Continue, Fail
from cronq.namedtuple import NamedTuple
from cronq.tasks.context import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app import App
    from cronq.messages.message import Message, Outcome
    from cronq.tasks.task import Task


@configured("run")
@call_arguments
def command(context: click.Context, task_name: str, arguments: tuple[str, ...]) -> int:
    """Run one call of TASK here and now, without the queue.

    Its result is printed as JSON. TASK and ARGS are written as for `cronq enqueue`. The call is made as a consumer
    makes it: arguments go through JSON and the type hints, the Context is that of a first attempt,
    @app.before_enqueue, @app.around and @app.reset hooks are called, slices follow one another, and what the task
    enqueues is sent when it has succeeded. There is no retry, timeout, limit or process of its own, and nothing
    follows it: no failure callback, no webhook.

    What the task prints goes to stderr. Exits with 1 and the traceback when it fails, with 2 when there is no such
    call.

    Example: cronq run shop.tasks.send_mail ada@example.org subject=Hello
    """
    settings = settings_of(context)
    app = app_of(settings)
    task = task_named(app, task_name)
    message = _written(app, task, arguments)
    with redirect_stdout(sys.stderr):
        ended = HandRun(app, task).to_the_end(message)
    if ended.error is not None:
        click.echo(escaped_lines(traceback_of(ended.error)), err=True)
        return 1
    if isinstance(ended.outcome, Fail):
        raise CronqError(f"task {task.name}: {ended.outcome.error}")
    _say_result(task, ended.value)
    return 0


def _written(app: App, task: Task[..., Any], words: Sequence[str]) -> Message:
    """Return the message that an enqueue would make of the call. Raises UsageError."""
    try:
        (message,) = app.writer.written(call_of(task, words))
    except ArgumentError as error:
        raise UsageError(str(error)) from None
    return message._replace(attempt=1, follow=b"")


class SliceEnd(NamedTuple):
    """How a slice has ended, and what the task returned or raised."""

    outcome: Outcome
    value: object
    error: BaseException | None


class HandRun:
    """Runs messages of a task that are in no queue."""

    def __init__(self, app: App, task: Task[..., Any]) -> None:
        self._app = app
        self._task = task
        self._attempts = LocalAttempts(
            app.runner_tasks(), app.clock, NoTimer(), is_interruption, ANYWHERE, lambda: False
        )
        self._function = self._attempts.awaiting(task.run) if task.is_coroutine else task.run

    def to_the_end(self, message: Message) -> SliceEnd:
        """Run slice after slice, and send what each has enqueued. Raises CronqError when that cannot be sent."""
        try:
            while True:
                ended = self._slice(message)
                if isinstance(ended.outcome, Ack | Continue) and ended.outcome.then:
                    _send(self._app, ended.outcome.then)
                if not isinstance(ended.outcome, Continue):
                    return ended
                message = message._replace(cursor=ended.outcome.cursor)
        finally:
            self._attempts.close()

    def _slice(self, message: Message) -> SliceEnd:
        value: object = None

        def run(*args: object, **kwargs: object) -> object:
            nonlocal value
            value = self._function(*args, **kwargs)
            return value

        args, kwargs = self._task.codec.decode(message.body)
        outcome, error = self._attempts.make(message, Runnable(self._task, args, kwargs, None, run))
        return SliceEnd(outcome, value, error)


def _send(app: App, messages: Sequence[Message]) -> None:
    refuse_to_lose(app.settings)
    with sending():
        app.enqueuer.send(list(messages))


def _say_result(task: Task[..., Any], value: object) -> None:
    try:
        text = task.codec.encode_result(value).decode()
    except Exception as error:  # whatever the project's types raise; a consumer keeps no such result, and goes on
        say(f"the result, a {type(value).__name__}, cannot be written as JSON: {error}", err=True)
    else:
        say(text)

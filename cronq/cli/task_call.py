"""A call of a task as it is typed in a shell: TASK [ARGS]."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cronq.cli import completions
from cronq.cli.common import importing
from cronq.errors import UnknownTaskError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.app import App
    from cronq.tasks.task import Call, Task


def call_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the arguments TASK (`task_name`) and ARGS (`arguments`)."""
    words = click.argument("arguments", metavar="[ARGS]...", nargs=-1)
    return click.argument("task_name", metavar="TASK", shell_complete=completions.tasks)(words(function))


def task_named(app: App, name: str) -> Task[..., Any]:
    """Return the task of that name. Raises UsageError with the nearest ones."""
    with importing(app.settings):
        try:
            return app.definitions.find(name)
        except UnknownTaskError:
            app.definitions.complete()
    try:
        return app.registry.get(name)
    except UnknownTaskError as error:
        raise UsageError(str(error)) from None


def call_of(task: Task[..., Any], words: Sequence[str]) -> Call[Any]:
    """Return the call that words make of a task, as a program would give it. Raises UsageError, ArgumentError."""
    args, kwargs = task.codec.from_json(*read_arguments(words))
    return task.call(*args, **kwargs)


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

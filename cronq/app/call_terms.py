"""Calls of tasks under terms, and the rates in force, as consumers and messages carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.tasks.terms import terms_of_call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cronq.app.application import App
    from cronq.messages.message import Message
    from cronq.messages.rate import Rate
    from cronq.tasks.task import Task
    from cronq.tasks.terms import Asked, Terms

    Calls = Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]


def under_terms(
    task: Task[..., Any], wanted: Asked, messages: Sequence[Message], calls: Calls, now: float
) -> list[Message]:
    """Return the messages of some calls under their terms. Raises ArgumentError for a key that is none."""
    return [
        terms_for(task, wanted, args, kwargs).laid_on(message, now)
        for message, (args, kwargs) in zip(messages, calls, strict=True)
    ]


def terms_for(task: Task[..., Any], wanted: Asked, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Terms:
    """Return the terms of one call of a task."""
    return terms_of_call(task.name, wanted, args, kwargs, lambda: task.codec.named(args, kwargs))


def rates_of(app: App) -> dict[str, Rate]:
    """Return the rates of tasks and queues, as code and configuration say now."""
    said = {f"task:{task.name}": task.options.rate for task in app.registry}
    said |= {f"queue:{name}": queue.rate for name, queue in app.settings.queues.items()}
    wanted = {name: rate for name, rate in said.items() if rate is not None}
    if not wanted:
        return {}
    from cronq.messages.rate import parse

    return {name: parse(rate) for name, rate in wanted.items()}

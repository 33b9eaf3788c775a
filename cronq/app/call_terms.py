"""Calls of tasks under terms, as messages carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.tasks.terms import terms_of_call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.messages.message import Message
    from cronq.tasks.task import Pairs, Task
    from cronq.tasks.terms import Asked, Terms


def under_terms(
    task: Task[..., Any], wanted: Asked, messages: Sequence[Message], calls: Pairs, now: float, apart: str = ""
) -> list[Message]:
    """Return the messages of some calls under their terms. Raises ArgumentError for a key that is none."""
    return [
        terms_for(task, wanted, args, kwargs, apart).laid_on(message, now)
        for message, (args, kwargs) in zip(messages, calls, strict=True)
    ]


def terms_for(
    task: Task[..., Any], wanted: Asked, args: tuple[Any, ...], kwargs: Mapping[str, Any], apart: str = ""
) -> Terms:
    """Return the terms of one call of a task.

    `apart` is a queue whose unique keys hold apart from those of the task's other queues.
    """
    terms = terms_of_call(task.name, wanted, args, kwargs, lambda: task.codec.named(args, kwargs))
    if not apart or terms.unique_key is None:
        return terms
    return terms._replace(unique_key=f"{task.name}@{apart}{terms.unique_key.removeprefix(task.name)}")

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
    task: Task[..., Any], wanted: Asked, messages: Sequence[Message], calls: Pairs, now: float
) -> list[Message]:
    """Return the messages of some calls under their terms. Raises ArgumentError for a key that is none."""
    return [
        terms_for(task, wanted, args, kwargs).laid_on(message, now)
        for message, (args, kwargs) in zip(messages, calls, strict=True)
    ]


def in_queue_of_its_own(message: Message) -> Message:
    """Return a message whose unique key is that of its queue: those in other queues do not stand for it."""
    if message.unique_key is None:
        return message
    return message._replace(unique_key=f"{message.task}@{message.queue}{message.unique_key.removeprefix(message.task)}")


def terms_for(task: Task[..., Any], wanted: Asked, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Terms:
    """Return the terms of one call of a task."""
    return terms_of_call(task.name, wanted, args, kwargs, lambda: task.codec.named(args, kwargs))

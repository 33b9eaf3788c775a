"""Labels of calls, as messages carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.messages.own_headers import LABEL, as_bytes
from cronq.tasks.label import label_of_call
from cronq.tasks.task import RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.messages.message import Message
    from cronq.tasks.task import Pairs, Task


def labelled(task: Task[..., Any], messages: Sequence[Message], calls: Pairs) -> list[Message]:
    """Return the messages of some calls with their labels. Raises ArgumentError."""
    return [
        _with_label(message, headers_of_call(task, args, kwargs))
        for message, (args, kwargs) in zip(messages, calls, strict=True)
    ]


def relabelled(task: Task[..., Any], message: Message) -> Message:
    """Return a message whose arguments have changed, with the label of those. Raises ArgumentError, BodyError."""
    if task.options.label is None:
        return message
    args, kwargs = task.codec.decode(message.body)
    return _with_label(message, headers_of_call(task, tuple(args), kwargs))


def headers_of_call(task: Task[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, str]:
    """Return what says the label of a call. A step that takes RESULT has none: nobody knows yet what it is called."""
    label = task.options.label
    if label is None or any(one is RESULT for one in (*args, *kwargs.values())):
        return {}
    return {LABEL: label_of_call(task.name, label, args, kwargs, lambda: task.codec.named(args, kwargs))}


def _with_label(message: Message, label: dict[str, str]) -> Message:
    if not label:
        return message
    import json

    headers = json.loads(message.headers) if message.headers else {}
    return message._replace(headers=as_bytes(headers | label))

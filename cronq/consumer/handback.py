"""An outcome as bytes, for the pipe between an isolated message's process and its consumer.

marshal, not pickle: it knows plain values only, so nothing that a task returns or raises can be more than data here.
"""

from __future__ import annotations

import marshal
from typing import Any

from cronq.messages import attempts
from cronq.messages import message as messages
from cronq.messages.message import Message, Outcome


def pack(outcome: Outcome) -> bytes:
    """Return an outcome as bytes, without its message, which the consumer has."""
    return marshal.dumps((type(outcome).__name__, _plain(outcome[1:])))


def unpack(data: bytes, message: Message) -> Outcome | None:
    """Return the outcome that `pack` wrote, for `message`; None for bytes that are none."""
    try:
        name, fields = marshal.loads(data)  # noqa: S302 - written by our own child
        outcome = getattr(messages, name)(message, *_rich(fields))
    except (ValueError, TypeError, EOFError, AttributeError):
        return None
    return outcome if isinstance(outcome, Outcome) else None


def _plain(value: Any) -> Any:
    """Return a value as marshal takes it.

    Named tuples become a dictionary of one name and their values; text and numbers of the project's own classes, such
    as a StrEnum of queues, become plain ones.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if not isinstance(value, tuple):
        return value
    values = [_plain(one) for one in value]
    return {type(value).__name__: values} if hasattr(value, "_fields") else values


def _rich(value: Any) -> Any:
    if isinstance(value, dict):
        ((name, values),) = value.items()
        kind = getattr(messages, name, None) or getattr(attempts, name)
        return kind(*map(_rich, values))
    return tuple(map(_rich, value)) if isinstance(value, list) else value

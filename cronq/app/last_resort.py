"""What becomes of messages that the store has not taken: a hook of the project takes them, or their caller hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.errors import TransportError
from cronq.events import emit
from cronq.messages.unsent import Unsent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app.project_hooks import OnUnsent
    from cronq.errors import CronqError
    from cronq.messages.message import Message


def hand_over(error: Unsent, hooks: Sequence[OnUnsent]) -> None:
    """Give messages to the first hook that takes them. Raises the error when none does."""
    is_taken = any(_takes(hook, error) for hook in hooks)
    emit("unsent", error=error, messages=error.messages, is_taken=is_taken)
    if not is_taken:
        raise error


def unsent(messages: Sequence[Message], cause: CronqError) -> Unsent:
    """Return what is raised for messages that the store has not taken, and for which reason."""
    tasks = ", ".join(sorted({message.task for message in messages}))
    text = f"{cause}; not enqueued: {len(messages)} of {tasks}"
    error = Unsent(text, messages, pressure=isinstance(cause, TransportError) and cause.pressure)
    error.exit_code = cause.exit_code
    error.__cause__ = cause  # for hooks, which see it before it is raised
    return error


def _takes(hook: OnUnsent, error: Unsent) -> bool:
    try:
        return bool(hook(error, error.messages))
    except Exception as fault:  # of the project's code: it must not hide that messages were not sent
        emit("hook_failed", kind="on_unsent", hook=getattr(hook, "__qualname__", repr(hook)), error=fault)
        return False

"""What becomes of messages that the store has not taken: the spool, a hook of the project, or their caller has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.errors import TransportError, UnstorableError
from cronq.events import emit
from cronq.messages.unsent import Unsent
from cronq.transports.spool_choice import spool_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app.project_hooks import OnUnsent
    from cronq.errors import CronqError
    from cronq.messages.message import Message
    from cronq.transports.installation import Installation


def keep(installation: Installation, messages: Sequence[Message], cause: CronqError, hooks: Sequence[OnUnsent]) -> None:
    """Put messages into the spool, or give them to a hook. Raises Unsent when neither takes them.

    A state directory that was refused is no place for them: others may write there.
    """
    is_for_later = isinstance(cause, TransportError) and not isinstance(cause, UnstorableError)
    why_not = _spool(installation, messages, cause) if is_for_later else ""
    if why_not is not None:
        hand_over(_unsent(messages, cause, why_not), hooks)


def _spool(installation: Installation, messages: Sequence[Message], cause: CronqError) -> str | None:
    """Put messages into the spool; None when they are in it, otherwise what is to be said of it."""
    spool = spool_of(installation.settings, installation.state) if installation.settings.spool else None
    if spool is None:
        return ""
    from cronq.messages.parcel import packed

    try:
        spool.append(packed(messages))
    except OSError as error:
        return f"; {spool.path}: {error.strerror}"
    emit("spooled", messages=messages, error=cause)
    return None


def hand_over(error: Unsent, hooks: Sequence[OnUnsent]) -> None:
    """Give messages to the first hook that takes them. Raises the error when none does."""
    is_taken = any(_takes(hook, error) for hook in hooks)
    emit("unsent", error=error, messages=error.messages, is_taken=is_taken)
    if not is_taken:
        raise error


def _unsent(messages: Sequence[Message], cause: CronqError, and_so: str) -> Unsent:
    tasks = ", ".join(sorted({message.task for message in messages}))
    text = f"{cause}{and_so}; not enqueued: {len(messages)} of {tasks}"
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

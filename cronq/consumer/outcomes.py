"""From what a task returned or raised to the outcome of its attempt, with all that follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cronq.errors import UsageError
from cronq.events import emit
from cronq.interruptions import is_interruption
from cronq.messages.attempts import Cause
from cronq.messages.message import UNLIMITED, Ack, Continue, Fail, Message, Release
from cronq.tasks.retry import Again

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.message import Outcome
    from cronq.tasks.cursor import Later
    from cronq.tasks.retry import Retry
    from cronq.tasks.task import Task

Concluded = TypeVar("Concluded", Ack, Fail)

_ERROR_LENGTH = 8000  # characters of a traceback that are kept: its end, where the reason stands


def succeeded(ack: Ack, task: Task[..., Any], value: object, held: Sequence[Message], now: float) -> Outcome:
    """Return `ack` with the result, where somebody wants it, and what follows; `held` is what the task enqueued.

    A result that JSON cannot hold is no reason to run the task again; but the next step of a chain waits for it.
    """
    message = ack.message
    if ack.keep_s or message.follow or message.group_id:
        try:
            ack = ack._replace(result=task.codec.encode_result(value))
        except BaseException as error:  # whatever the project's types raise
            if is_interruption(error):
                raise
            if _next_takes_result(message):
                return gave_up(message, f"the next step takes the result, which cannot be written as JSON: {error}")
            emit("result_not_kept", message=message, error=str(error))
    return concluded(ack, held, now)


def goes_on(message: Message, task: Task[..., Any], later: Later, held: Sequence[Message]) -> Continue | Fail:
    """Return the outcome of a slice of the work."""
    if task.options.ack_first:
        return gave_up(message, "it cannot go on later: with ack_first=True its message is gone already")
    return Continue(message, later.cursor, later.delay_s, tuple(held))


def failed(message: Message, task: Task[..., Any], error: BaseException, cause: Cause, policy: Retry) -> Release | Fail:
    """Return what becomes of a message whose attempt ended in `error`."""
    text = _describe(error)
    if not task.options.ack_first:
        decision = policy.decide(message.attempt, error)
        if isinstance(decision, Again):
            return Release(message, decision.delay_s, text, cause=cause)
    return concluded(Fail(message, text, cause))


def gave_up(message: Message, text: str) -> Fail:
    """Return the end of a message for which no further attempt makes sense."""
    return concluded(Fail(message, text, cause_of(UsageError(text))))


def interrupted(message: Message, error: BaseException) -> Release | Fail:
    """Return the end of an attempt whose process was told to end: the message goes back, if it may run again."""
    said = f"interrupted by {type(error).__name__}"
    cause = Cause(type(error).__name__, said)
    if message.max_attempts != UNLIMITED and message.attempt >= message.max_attempts:
        return concluded(Fail(message, said, cause))
    return Release(message, error=said, cause=cause)


def concluded(outcome: Concluded, held: Sequence[Message] = (), now: float = 0.0) -> Concluded:
    """Return an outcome with all that follows it."""
    if not outcome.message.follow:
        return outcome._replace(then=tuple(held)) if held else outcome
    from cronq.messages.follow import concluded as with_what_follows

    return with_what_follows(outcome, held, now)


def is_plain(outcome: Outcome) -> bool:
    """Tell whether an outcome may be written down later: nobody waits for it, and a rescuer would say the same."""
    if not isinstance(outcome, Ack) or outcome.keep_s or outcome.then:
        return False
    return outcome.message.group_id is None or outcome.result is None  # a callback may need it


def _next_takes_result(message: Message) -> bool:
    if not message.follow:
        return False
    from cronq.messages.follow import read

    stages = read(message.follow).stages
    return bool(stages) and any(step.into for step in stages[0])


def _describe(error: BaseException) -> str:
    import traceback

    frames = traceback.format_exception(type(error), error, error.__traceback__)
    return _storable("".join(frames)[-_ERROR_LENGTH:])


def cause_of(error: BaseException, took_s: float | None = None) -> Cause:
    """Return an exception in the parts that are stored; its own code, which makes its text, may fail again."""
    try:
        text = str(error)
    except BaseException as another:  # which says no more than that
        text = f"its text cannot be had: {type(another).__name__}"
    return Cause(type(error).__name__, _storable(text[:_ERROR_LENGTH]), took_s)


def _storable(text: str) -> str:
    """Return text that is Unicode all through: names of files may hold half characters, which no database takes."""
    return text.encode("utf-8", "backslashreplace").decode()

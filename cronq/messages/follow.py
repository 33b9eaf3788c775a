"""What follows a message, as it is stored with it: enqueued in the commit in which its last attempt ends. Pure.

It is stored, not looked up in the code, so that the tick, which imports no project, writes the same after a rescue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cronq.messages.holder import machine_name
from cronq.messages.ids import new_id
from cronq.messages.message import Ack, Fail, Message
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Concluded = TypeVar("Concluded", Ack, Fail)

ERROR_LENGTH = 2000  # characters of an error's text that a failure callback is given
MOST_BYTES = 262_144  # of all that follows one message
_BODY, _HEADERS, _FOLLOW = "body", "headers", "follow"  # JSON of their own in a message
_JSON_FIELDS = (_BODY, _HEADERS, _FOLLOW)
_DEFAULTS = Message._field_defaults


class Step(NamedTuple):
    """A message to be. The parameters `into` take what comes before: a result, a Failure, or an event.

    A message without an id gets one when its time has come. It becomes available `delay_s` after that, but not before
    its `available_at`, and expires `expires_s` after that. `without_arguments` keeps those of what failed or finished
    out of its own.
    """

    message: Message
    into: tuple[str, ...] = ()
    delay_s: float = 0.0
    expires_s: float | None = None
    without_arguments: bool = False


Stage = tuple[Step, ...]
"""Messages that are enqueued together. The last of them carries the stages after it."""


class Follow(NamedTuple):
    """What follows a message: the rest of its chain when it has succeeded, and single messages besides.

    `into` are parameters of the message itself, when it waits for a group: they take the results of its parts.
    """

    stages: tuple[Stage, ...] = ()
    finished: tuple[Step, ...] = ()
    failed: tuple[Step, ...] = ()
    into: tuple[str, ...] = ()

    def __add__(self, other: object) -> Follow:
        """Return both together, `other` behind."""
        assert isinstance(other, Follow)  # noqa: S101 - not for users
        return Follow(
            self.stages + other.stages,
            self.finished + other.finished,
            self.failed + other.failed,
            self.into + other.into,
        )


def concluded(outcome: Concluded, held: Sequence[Message] = (), now: float = 0.0, prefix: str = "") -> Concluded:
    """Return the end of a message with all that follows it; `held` is what its task enqueued.

    `prefix` is what names have in storage and nobody is told.
    """
    if isinstance(outcome, Ack):
        return outcome._replace(then=(*held, *_after_success(outcome.message, outcome.result or b"null", now)))
    failure = failure_of(outcome, prefix)
    steps = read(outcome.message.follow).failed
    return outcome._replace(then=tuple(_told(step, failure, now) for step in steps))


def _after_success(message: Message, result: bytes, now: float) -> list[Message]:
    follow = read(message.follow)
    event = _event_of(message) if follow.finished else {}
    following = [_told(step, event, now) for step in follow.finished]
    return following if not follow.stages else [*begun(follow.stages, _loads(result), now), *following]


def failure_of(outcome: Fail, prefix: str = "") -> dict[str, Any]:
    """Return a failure as a callback is told it: the fields of `cronq.messages.failure.Failure`."""
    cause = outcome.cause
    return {
        **_event_of(outcome.message, prefix),
        "error_class": cause.error_class if cause else "",
        "error": (cause.text if cause else outcome.error)[:ERROR_LENGTH],
    }


def _event_of(message: Message, prefix: str = "") -> dict[str, Any]:
    """Return what is told of a message that has ended; `host` is that of whoever writes its end down."""
    return {
        "message_id": message.id,
        "task": message.task.removeprefix(prefix),
        "queue": message.queue.removeprefix(prefix),
        "arguments": _arguments(message.body),
        "attempt": message.attempt,
        "host": machine_name(),
    }


def _told(step: Step, event: dict[str, Any], now: float) -> Message:
    """Return the message of a step that is told how another has ended."""
    return entered(step, {**event, "arguments": {}} if step.without_arguments else event, now)


def _arguments(body: bytes) -> dict[str, Any]:
    """Return stored arguments; none where they cannot be read, which may be why the message failed."""
    import json

    try:
        arguments = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return arguments if isinstance(arguments, dict) else {}


def begun(stages: tuple[Stage, ...], value: Any, now: float) -> list[Message]:
    """Return the messages of the first stage; the last of them takes the other stages along."""
    first, rest = stages[0], stages[1:]
    *others, carrier = (entered(step, value, now) for step in first)
    return [*others, carrying(carrier, rest)]


def carrying(message: Message, stages: tuple[Stage, ...]) -> Message:
    """Return a message that takes more stages along, behind its own."""
    return message._replace(follow=written(read(message.follow) + Follow(stages))) if stages else message


def entered(step: Step, value: Any, now: float) -> Message:
    """Return the message of a step whose time has come. With `value` in its place the arguments are complete."""
    message = step.message
    available_at = now + step.delay_s if step.delay_s or message.id else 0.0  # its id is as old as its chain
    return message._replace(
        id=message.id or new_id(),
        body=completed(message.body, step.into, value),
        available_at=message.available_at if message.available_at > now else available_at,
        expires_at=None if step.expires_s is None else now + step.expires_s,
    )


def gathered(message: Message, results: Mapping[int, bytes | None]) -> Message:
    """Return a message that has waited for a group with the results of the parts, in their order, in their place."""
    values = [_loads(results[part] or b"null") for part in sorted(results)]
    return message._replace(body=completed(message.body, read(message.follow).into, values))


def completed(body: bytes, into: Iterable[str], value: Any) -> bytes:
    """Return arguments with `value` for some that were left open."""
    names = tuple(into)
    return _dumps({**_loads(body), **dict.fromkeys(names, value)}) if names else body


def written(follow: Follow) -> bytes:
    """Return what follows a message as it is stored; empty for nothing."""
    if not any(follow):
        return b""
    return _dumps(
        {
            "stages": [[_plain(step) for step in stage] for stage in follow.stages],
            "finished": [_plain(step) for step in follow.finished],
            "failed": [_plain(step) for step in follow.failed],
            "into": list(follow.into),
        }
    )


def read(stored: bytes) -> Follow:
    """Return what `written` wrote."""
    if not stored:
        return Follow()
    known = _loads(stored)
    return Follow(
        tuple(tuple(_step(one) for one in stage) for stage in known["stages"]),
        tuple(_step(one) for one in known["finished"]),
        tuple(_step(one) for one in known["failed"]),
        tuple(known["into"]),
    )


def with_each(stored: bytes, change: Callable[[Message], Message]) -> bytes:
    """Return what follows a message with all messages in it changed."""

    def changed(steps: Stage) -> Stage:
        return tuple(step._replace(message=change(step.message)) for step in steps)

    stages, finished, failed, into = read(stored)
    return written(Follow(tuple(map(changed, stages)), changed(finished), changed(failed), into))


def _plain(step: Step) -> dict[str, Any]:
    """Return a step as JSON has it: the fields of its message that are not as always, bodies readable."""
    fields = {name: value for name, value in step.message._asdict().items() if value != _DEFAULTS.get(name)}
    fields |= {name: _loads(fields[name]) for name in _JSON_FIELDS if name in fields}
    terms = {
        "into": list(step.into),
        "delay_s": step.delay_s,
        "expires_s": step.expires_s,
        "without_arguments": step.without_arguments,
    }
    return {"message": fields, **{name: value for name, value in terms.items() if value}}


def _step(plain: dict[str, Any]) -> Step:
    fields = dict(plain["message"])
    fields |= {name: _dumps(fields[name]) for name in _JSON_FIELDS if name in fields}
    return Step(
        Message(**fields),
        tuple(plain.get("into", ())),
        plain.get("delay_s", 0.0),
        plain.get("expires_s"),
        plain.get("without_arguments", False),
    )


def _dumps(value: Any) -> bytes:
    import json

    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _loads(text: bytes) -> Any:
    import json

    return json.loads(text)

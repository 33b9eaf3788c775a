"""What a test sees of the messages in its box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import BodyError, UnknownTaskError
from cronq.messages.message import State
from cronq.namedtuple import NamedTuple
from cronq.tasks.context import headers_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.messages.message import Message
    from cronq.tasks.registry import Registry
    from cronq.tasks.task import Task
    from cronq.testing.recorder import RecordingTransport

    Wanted = Task[..., Any] | type | str


class Recorded(NamedTuple):
    """A message that was enqueued: its task's name, and the arguments as the task will get them, by name.

    `delay_s` is the delay it was enqueued with, to a tenth of a second; `message` is all that is stored.
    """

    task: str
    args: Mapping[str, Any]
    queue: str
    headers: Mapping[str, str]
    delay_s: float
    message: Message

    @property
    def id(self) -> str:
        return self.message.id


class Records:
    """The messages that a transport remembers, with their arguments read."""

    def __init__(self, transport: RecordingTransport, registry: Registry) -> None:
        self._transport = transport
        self._registry = registry

    @property
    def messages(self) -> list[Recorded]:
        """Everything that was enqueued, in order, whether it has run or not."""
        return [self.recorded(message_id) for message_id in list(self._transport.recorded)]

    @property
    def waiting(self) -> list[Recorded]:
        """What has not run yet, or is to be retried, the delayed included."""
        states = {State.READY, State.DELAYED, State.BLOCKED}
        return [one for one in self.messages if self._state(one.id) in states]

    def of(self, wanted: Wanted, **args: object) -> list[Recorded]:
        """Return the messages of a task (or its name), or of a message class, that have these arguments."""
        names = self._names(wanted)
        return [one for one in self.messages if one.task in names and _has(one, args)]

    def only(self, wanted: Wanted, **args: object) -> Recorded:
        """Return the one such message. Raises AssertionError, which tells what there is, when there is not one."""
        found = self.of(wanted, **args)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} messages of {_shown(wanted, args)}, wanted 1; {self._listed()}")
        return found[0]

    def assert_enqueued(self, wanted: Wanted, **args: object) -> None:
        """Raise AssertionError, which tells what there is, when no such message was enqueued."""
        if not self.of(wanted, **args):
            raise AssertionError(f"no message of {_shown(wanted, args)}; {self._listed()}")

    def assert_not_enqueued(self, wanted: Wanted, **args: object) -> None:
        """Raise AssertionError when such a message was enqueued."""
        found = self.of(wanted, **args)
        if found:
            raise AssertionError(f"{len(found)} messages of {_shown(wanted, args)}, wanted none; {self._listed()}")

    def recorded(self, message_id: str) -> Recorded:
        """Return one message."""
        message, enqueued_at = self._transport.recorded[message_id]
        delay_s = (
            round(max(0.0, message.available_at - enqueued_at), 1)
            if message.available_at and not message.gather
            else 0.0
        )
        return Recorded(message.task, self._arguments(message), message.queue, headers_of(message), delay_s, message)

    def _arguments(self, message: Message) -> Mapping[str, Any]:
        import inspect

        try:
            task = self._registry.get(message.task)
            args, kwargs = task.codec.decode(message.body)
        except (UnknownTaskError, BodyError):  # it will end in the failure queue, which says why
            return {}
        return inspect.signature(task.function).bind_partial(*args, **kwargs).arguments

    def _state(self, message_id: str) -> State | None:
        record = self._transport.find(message_id)
        return None if record is None else record.state

    def _names(self, wanted: Wanted) -> set[str]:
        if isinstance(wanted, type):
            return {task.name for task in self._registry.handlers(wanted)}
        return {wanted if isinstance(wanted, str) else wanted.name}

    def _listed(self) -> str:
        lines = [f"  {_shown(one.task, one.args)} in {one.queue}" for one in self.messages]
        return "\n".join(["enqueued were:", *lines]) if lines else "nothing was enqueued"


def _has(one: Recorded, args: Mapping[str, object]) -> bool:
    return all(name in one.args and one.args[name] == value for name, value in args.items())


def _shown(wanted: Wanted, args: Mapping[str, object]) -> str:
    name = wanted if isinstance(wanted, str) else getattr(wanted, "name", getattr(wanted, "__qualname__", "?"))
    return f"{name}({', '.join(f'{name}={value!r}' for name, value in args.items())})"

"""What a running task may know about its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cronq.messages.message import Message
from cronq.messages.own_headers import PREFIX, label_of
from cronq.namedtuple import NamedTuple
from cronq.tasks import cursor as cursors
from cronq.tasks.option_values import check_seconds
from cronq.units import in_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import timedelta

    from cronq.tasks.cursor import Later

_LONGEST_DELAY_S = 366 * 86400


class Workplace(NamedTuple):
    """Where tasks are run: the slot of their consumer, and whether that is a web server's process.

    It means to leave at `ends_at` (monotonic seconds).
    """

    consumer: str = ""
    in_web_process: bool = False
    ends_at: float | None = None


ANYWHERE = Workplace()


class Context:
    """Handed to a task that declares a parameter of this type; never stored.

    `deadline` is in monotonic seconds (`time.monotonic()`): when the consumer's own time or the task's timeout ends.
    `consumer` is the slot of the consumer that runs it, such as `high.0`, "" where none does: in a test, with `sync://`
    and in `cronq run`. `in_web_process` says that a web server's process runs it after a response.
    """

    __slots__ = ("_message", "_should_stop", "consumer", "deadline", "in_web_process")

    def __init__(
        self, message: Message, deadline: float | None, should_stop: Callable[[], bool], workplace: Workplace
    ) -> None:
        self._message = message
        self._should_stop = should_stop
        self.deadline: float | None = deadline
        self.consumer: str = workplace.consumer
        self.in_web_process: bool = workplace.in_web_process

    @classmethod
    def for_test(  # noqa: PLR0913 - by name only, each one thing that a task may ask
        cls,
        *,
        message_id: str = "",
        task: str = "",
        queue: str = "normal",
        attempt: int = 1,
        max_attempts: int = 3,
        headers: Mapping[str, str] | None = None,
        cursor: object = None,
        should_stop: bool | Callable[[], bool] = False,
        deadline: float | None = None,
        consumer: str = "",
        in_web_process: bool = False,
    ) -> Context:
        """Return a context to call a task with, in a unit test: `resize(Context.for_test(attempt=2), 7)`."""
        import json

        message = Message(
            message_id,
            queue,
            task,
            b"",
            json.dumps(dict(headers)).encode() if headers else b"",
            attempt=attempt,
            max_attempts=max_attempts,
            cursor=cursors.written(cursor) if cursor is not None else b"",
        )
        asks = should_stop if callable(should_stop) else lambda: bool(should_stop)
        return cls(message, deadline, asks, Workplace(consumer, in_web_process))

    @property
    def message_id(self) -> str:
        return self._message.id

    @property
    def task(self) -> str:
        """The name of the task."""
        return self._message.task

    @property
    def queue(self) -> str:
        return self._message.queue

    @property
    def label(self) -> str:
        """How the message is called in lists and logs, "" when its task says nothing of it."""
        return label_of(self._message)

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._message.attempt

    @property
    def max_attempts(self) -> int:
        """How many attempts there will be; 0: without end."""
        return self._message.max_attempts

    @property
    def headers(self) -> dict[str, str]:
        """What `before_enqueue` hooks and the caller added to the message."""
        return headers_of(self._message)

    @property
    def should_stop(self) -> bool:
        """Whether to stop at the next good point: the time of this slice is nearly over, or somebody asks for it."""
        return self._should_stop()

    @property
    def cursor(self) -> Any:
        """What the slice before gave to `continue_later`; None in the first one."""
        return cursors.read(self._message.cursor)

    def continue_later(self, position: object, delay_s: float | timedelta = 0.0) -> Later:
        """Go on in another slice: `return context.continue_later(position)`, and find it in `context.cursor` there.

        The message keeps its id and has all its attempts again. Raises UsageError for a position that is not JSON,
        or too big.
        """
        seconds = in_seconds(delay_s)
        check_seconds("delay_s", seconds, _LONGEST_DELAY_S, "seconds, 0 or more, and at most a year")
        return cursors.Later(cursors.written(position), seconds)


CURRENT: Final = Context(Message("", "normal", "", b"", attempt=1), None, lambda: False, ANYWHERE)
"""The default of a task's Context: `def resize(image_id: int, context: Context = CURRENT)`.

Whoever calls or enqueues the task need not pass it, and type checkers know that. Where a message is run its own Context
is filled in; in a plain call the task gets this one, which is that of a first attempt without a deadline.
"""


def headers_of(message: Message) -> dict[str, str]:
    """Return the headers of a message as a new dictionary, without cronq's own."""
    if not message.headers:
        return {}
    import json

    return {name: value for name, value in json.loads(message.headers).items() if not name.startswith(PREFIX)}

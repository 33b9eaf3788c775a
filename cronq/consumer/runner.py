"""One attempt at one message: from the stored bytes to how it ended."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from cronq.attempts import EXPIRED, Cause
from cronq.consumer.alarm import NoTimer, Timer
from cronq.consumer.durations import Durations
from cronq.context import Context
from cronq.errors import BodyError, TaskTimeout, UnknownTaskError, UsageError
from cronq.events import emit
from cronq.message import Ack, Fail, Message, Outcome, Release
from cronq.retry import Again

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from cronq.clock import Clock
    from cronq.retry import Retry
    from cronq.task import Task

_ERROR_LENGTH = 8000  # characters of a traceback that are kept: its end, where the reason stands


class Tasks(NamedTuple):
    """What an app gives a runner: how to find a task, how it is retried, and what goes around every run."""

    find: Callable[[str], Task[..., Any]]
    policy: Callable[[Task[..., Any], str], Retry]
    timeout_s: Callable[[Task[..., Any], str], float | None]
    result_ttl_s: Callable[[Task[..., Any], str], float]
    arounds: Sequence[Callable[[Context], AbstractContextManager[object]]] = ()


class Call(NamedTuple):
    """A message made runnable."""

    task: Task[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]
    timeout_s: float | None


class Runner:
    """Runs messages and says how they ended.

    `survives` are the exceptions of a task that are its own failure. A consumer survives `sys.exit()`; inside a web
    server SystemExit is how the server ends its worker, and must pass. `ends_at` is when the process means to leave.
    """

    def __init__(
        self,
        tasks: Tasks,
        clock: Clock,
        timer: Timer | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        survives: tuple[type[BaseException], ...] = (Exception, TaskTimeout, SystemExit),
        ends_at: float | None = None,
    ) -> None:
        self._survives = survives
        self._ends_at = ends_at
        self._tasks = tasks
        self._clock = clock
        self.timer: Timer = timer or NoTimer()
        self._should_stop = should_stop
        self.durations = Durations()

    def prepare(self, message: Message) -> Call | Fail:
        """Find the task and read its arguments; what has no task or does not decode goes to the failure queue."""
        if message.expires_at is not None and message.expires_at <= self._clock.now():
            text = "expired before it could be run"
            return Fail(message, text, Cause(EXPIRED, text))
        try:
            task = self._tasks.find(message.task)
            args, kwargs = task.codec.decode(message.body)
        except (UnknownTaskError, BodyError, UsageError) as error:
            return Fail(message, str(error), cause_of(error))
        return Call(task, args, kwargs, self._tasks.timeout_s(task, message.queue))

    def run(self, message: Message, call: Call) -> Outcome:
        """Make one attempt and return its outcome."""
        emit("reserved", message=message)
        began = self._clock.monotonic()
        try:
            self.timer.start(call.timeout_s)
            try:
                value = self._call(message, call)
            finally:
                self.timer.stop()
        except self._survives as error:
            cause = cause_of(error, self._clock.monotonic() - began)
            return self._failed(message, call.task, error, cause)
        self.durations.add(message.task, self._clock.monotonic() - began)
        return self._succeeded(message, call.task, value)

    def _call(self, message: Message, call: Call) -> object:
        injected = call.task.codec.injects
        if not injected and not self._tasks.arounds:
            return call.task.function(*call.args, **call.kwargs)
        context = Context(message, self._deadline(call), self._should_stop)
        with ExitStack() as stack:
            for around in self._tasks.arounds:
                stack.enter_context(around(context))
            return call.task.function(*call.args, **call.kwargs, **dict.fromkeys(injected, context))

    def _deadline(self, call: Call) -> float | None:
        ends = [] if self._ends_at is None else [self._ends_at]
        if call.timeout_s is not None:
            ends.append(self._clock.monotonic() + call.timeout_s)
        return min(ends, default=None)

    def _succeeded(self, message: Message, task: Task[..., Any], value: object) -> Ack:
        emit("finished", message=message)
        keep_s = self._tasks.result_ttl_s(task, message.queue)
        if not keep_s:
            return Ack(message)
        import msgspec

        try:
            return Ack(message, msgspec.json.encode(value), keep_s)
        except Exception as error:  # whatever it is, the message is done: it must not be run again for that
            emit("result_not_kept", message=message, error=str(error))
            return Ack(message, None, keep_s)

    def _failed(self, message: Message, task: Task[..., Any], error: BaseException, cause: Cause) -> Release | Fail:
        text = _describe(error)
        if isinstance(error, TaskTimeout):
            emit("timed_out", message=message)
        if task.options.ack_first:
            emit("ended_once", message=message, error=error)
            return Fail(message, text, cause)
        decision = self._tasks.policy(task, message.queue).decide(message.attempt, error)
        if isinstance(decision, Again):
            emit("released", message=message, error=error, delay_s=decision.delay_s)
            return Release(message, decision.delay_s, text, cause=cause)
        emit("failed", message=message, error=error)
        return Fail(message, text, cause)


def _describe(error: BaseException) -> str:
    import traceback

    frames = traceback.format_exception(type(error), error, error.__traceback__)
    return _storable("".join(frames)[-_ERROR_LENGTH:])


def cause_of(error: BaseException, took_s: float | None = None) -> Cause:
    """Return an exception in the parts that are stored; its own code, which makes its text, may fail again."""
    try:
        text = str(error)
    except Exception as another:
        text = f"its text cannot be had: {type(another).__name__}"
    return Cause(type(error).__name__, _storable(text[:_ERROR_LENGTH]), took_s)


def _storable(text: str) -> str:
    """Return text that is Unicode all through: names of files may hold half characters, which no database takes."""
    return text.encode("utf-8", "backslashreplace").decode()

"""One attempt at one message: from the stored bytes to how it ended."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from cronq.consumer import hooks
from cronq.consumer.alarm import NoTimer, Timer
from cronq.consumer.leftovers import look
from cronq.consumer.outcomes import cause_of, concluded, failed, goes_on, succeeded
from cronq.consumer.run_times import Durations
from cronq.consumer.slices import ending_in_time, last_look
from cronq.consumer.stops import Stops
from cronq.consumer.task_outbox import NoOutbox, Outbox
from cronq.errors import BodyError, TaskStopped, TaskTimeout, UnknownTaskError, UsageError
from cronq.events import emit
from cronq.host.process import PRESSURE, peak_mb
from cronq.messages.attempts import EXPIRED, TIMED_OUT, Cause
from cronq.messages.message import Ack, Continue, Fail, Message, Outcome, Release
from cronq.namedtuple import NamedTuple
from cronq.tasks.context import Context
from cronq.tasks.cursor import Later
from cronq.transports.base import stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cronq.clock import Clock
    from cronq.consumer.batch_call import Ending
    from cronq.consumer.isolation import Isolation, Terms
    from cronq.consumer.leftovers import Leftovers
    from cronq.tasks.retry import Retry
    from cronq.tasks.task import Task

NO_ROOM_WAIT_S = 10.0  # before an isolated message for which no process could be had is tried again


class Tasks(NamedTuple):
    """What an app gives a runner: how to find a task, how it is retried, and what goes around every run."""

    find: Callable[[str], Task[..., Any]]
    policy: Callable[[Task[..., Any], str], Retry]
    timeout_s: Callable[[Task[..., Any], str], float | None]
    result_ttl_s: Callable[[Task[..., Any], str], float]
    arounds: Sequence[Callable[[Context], AbstractContextManager[object]]] = ()
    resets: Sequence[Callable[[], object]] = ()
    disconnects: Sequence[Callable[[], object]] = ()
    isolation: Callable[[Task[..., Any], str], Terms | None] = lambda task, queue: None
    outbox: Callable[[], Outbox] = NoOutbox
    results: Callable[[str], Mapping[int, bytes | None]] = lambda group_id: {}


class Call(NamedTuple):
    """A message made runnable."""

    task: Task[..., Any]
    args: list[Any]
    kwargs: dict[str, Any]
    timeout_s: float | None
    run: Callable[..., object]
    isolation: Terms | None = None

    @property
    def may_gather(self) -> bool:
        """Whether others are to be run in the same call. A process of its own is had by one message alone."""
        return self.task.gather > 0 and self.isolation is None


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
        survives: tuple[type[BaseException], ...] = (Exception, TaskTimeout, TaskStopped, SystemExit),
        ends_at: float | None = None,
        stops: Stops | None = None,
    ) -> None:
        self._survives = survives
        self._ends_at = ends_at
        self._stop_at = None if ends_at is None else last_look(ends_at, clock.monotonic())
        self._tasks = tasks
        self._clock = clock
        self.timer: Timer = timer or NoTimer()
        self._stops = stops or Stops(clock)
        self._should_stop: Callable[[], bool] = self._stops.task_asks
        self.durations = Durations()
        self._isolation: Callable[[], Isolation] | None = None
        self._leftovers: Leftovers | None = None
        self._may_be_connected = True

    def own_process(self, isolation: Callable[[], Isolation], leftovers: Leftovers) -> None:
        """Work in a process that is a consumer's own: it may fork, and answers for what tasks leave behind."""
        self._isolation = isolation
        self._leftovers = leftovers

    def prepare(self, message: Message) -> Call | Fail:
        """Find the task and read its arguments; what has no task or does not decode goes to the failure queue."""
        if message.expires_at is not None and message.expires_at <= self._clock.now():
            text = "expired before it could be run"
            return concluded(Fail(message, text, Cause(EXPIRED, text)))
        if message.stop or self._stops.wants(message.id):
            return concluded(stopped(message, "it was not run again"))
        try:
            task = self._tasks.find(message.task)
            args, kwargs = task.codec.decode(self._body(message))
        except (UnknownTaskError, BodyError, UsageError) as error:
            return concluded(Fail(message, str(error), cause_of(error)))
        isolation = self._tasks.isolation(task, message.queue) if self._isolation else None
        return Call(task, args, kwargs, self._tasks.timeout_s(task, message.queue), task.run, isolation)

    def _body(self, message: Message) -> bytes:
        if message.waits_for is None or not message.follow:
            return message.body
        from cronq.messages.follow import gathered

        return gathered(message, self._tasks.results(message.waits_for)).body

    def run(self, message: Message, call: Call) -> Outcome:
        """Make one attempt, tell who listens, and return its outcome."""
        emit("reserved", message=message)
        self._stops.running = (message.id,)
        outcome: Outcome
        error: BaseException | str | None
        if self._isolation is not None and call.isolation is not None:
            outcome, error = self._attempt_isolated(self._isolation(), call.isolation, message, call)
        elif self._leftovers is not None and self._leftovers.is_due(message.task):
            before = look()
            outcome, error = self._attempt(message, call)
            self._warn(message, self._leftovers.found(message.task, before))
        else:
            outcome, error = self._attempt(message, call)
        if isinstance(outcome, Ack):
            emit("finished", message=message)
        else:
            if isinstance(outcome, Continue) and self._stops.is_known():
                outcome = outcome._replace(delay_s=0.0)  # its next slice ends it: the cursor is kept for a retry
            self._announce(outcome, call.task, error)
        return outcome

    def run_together(self, prepared: Sequence[tuple[Message, Call]]) -> list[Outcome]:
        """Make one attempt at several messages in one call, tell who listens, and return the outcome of each.

        What the call has enqueued goes with the first ack, and is dropped when there is none.
        """
        from cronq.consumer.batch_call import Together

        together = Together(prepared)
        for message in together.messages:
            emit("reserved", message=message)
        self._stops.running = [message.id for message in together.messages]
        before = look() if self._leftovers is not None and self._leftovers.is_due(together.task.name) else None
        began = self._clock.monotonic()
        whole, error = self._attempt(together.leader, together.call)
        took_s = self._clock.monotonic() - began
        if before is not None and self._leftovers is not None:
            self._warn(together.leader, self._leftovers.found(together.task.name, before))
        held = whole.then if isinstance(whole, Ack) else ()
        outcomes: list[Outcome] = []
        for ending in together.endings(error):
            outcome = self._ended_together(ending, together.task, took_s, held)
            held = () if isinstance(outcome, Ack) else held
            outcomes.append(outcome)
        if held:
            emit("dropped", count=len(held), tasks=sorted({message.task for message in held}))
        return outcomes

    def _ended_together(self, ending: Ending, task: Task[..., Any], took_s: float, held: Sequence[Message]) -> Outcome:
        message, result, error = ending
        if error is None:
            outcome = self._ended(message, task, result, held)
        else:
            outcome = self._failed(message, task, error, cause_of(error, took_s)._replace(peak_mb=peak_mb()))
        if isinstance(outcome, Ack):
            emit("finished", message=message)
        else:
            self._announce(outcome, task, error)
        return outcome

    def disconnect(self) -> None:
        """Have the project close its connections, if anything has run since it last did."""
        if self._may_be_connected:
            self._may_be_connected = False
            hooks.call("disconnect", self._tasks.disconnects)

    def _attempt(self, message: Message, call: Call) -> tuple[Outcome, BaseException | None]:
        """Make an attempt in this process."""
        self._may_be_connected = True
        began = self._clock.monotonic()
        outbox = self._tasks.outbox()  # of what the task enqueues: sent with its ack, dropped if it fails
        try:
            self.timer.start(call.timeout_s)
            try:
                value = self._call(message, call)
            finally:
                self.timer.stop()
        except self._survives as error:
            cause = cause_of(error, self._clock.monotonic() - began)._replace(peak_mb=peak_mb())
            return self._failed(message, call.task, error, cause), error
        else:
            outbox.close()
            outcome = self._ended(message, call.task, value, outbox.messages)
            if not isinstance(outcome, Continue):  # a slice is as long as the time it is given
                self.durations.add(message.task, self._clock.monotonic() - began)
            return outcome, None
        finally:
            if outbox.is_open:
                outbox.close()
                outbox.drop()
            if self._tasks.resets:
                hooks.call("reset", self._tasks.resets)

    def _attempt_isolated(
        self, isolation: Isolation, terms: Terms, message: Message, call: Call
    ) -> tuple[Outcome, BaseException | str | None]:
        """Make an attempt in a process of its own, where it is decided what follows: there the exception is real."""

        def attempt(timer: Timer, should_stop: Callable[[], bool]) -> Outcome:
            self.timer, self._should_stop = timer, should_stop
            return self._attempt(message, call)[0]

        self.disconnect()  # a connection must not be used by two processes
        try:
            handed = isolation.run(attempt, message, call.timeout_s, terms)
        except UsageError as error:
            return self._failed(message, call.task, error, cause_of(error)), error
        except OSError as error:
            if error.errno not in PRESSURE:
                raise
            emit("pressure", what=f"the process of an isolated message ({error.strerror})")
            if call.task.options.ack_first:  # it has left its queue already
                return self._failed(message, call.task, error, cause_of(error)), error
            return Release(message, NO_ROOM_WAIT_S, uncounted=True), None
        if handed.leftovers and self._leftovers:
            self._warn(message, self._leftovers.report(message.task, "a child process"))
        result = handed.result
        if isinstance(result, BaseException):
            return self._failed(message, call.task, result, handed.measured(cause_of(result))), result
        if isinstance(result, Release | Fail):
            return result, f"{result.cause.error_class}: {result.cause.text}" if result.cause else result.error
        if not isinstance(result, Continue):
            self.durations.add(message.task, handed.took_s)
        return result, None

    def _call(self, message: Message, call: Call) -> object:
        injected = call.task.codec.injects
        if not injected and not self._tasks.arounds:
            return call.run(*call.args, **call.kwargs)
        deadline, stop_at = self._ends(call)
        context = Context(message, deadline, ending_in_time(self._should_stop, stop_at, self._clock))
        with ExitStack() as stack:
            for around in self._tasks.arounds:
                stack.enter_context(around(context))
            return call.run(*call.args, **call.kwargs, **dict.fromkeys(injected, context))

    def _ends(self, call: Call) -> tuple[float | None, float | None]:
        """Return the deadline of an attempt, and when its task should stop by itself, in monotonic seconds."""
        if call.timeout_s is None:
            return self._ends_at, self._stop_at
        now = self._clock.monotonic()
        deadline = now + call.timeout_s
        return _earlier(deadline, self._ends_at), _earlier(last_look(deadline, now), self._stop_at)

    def _ended(self, message: Message, task: Task[..., Any], value: object, held: Sequence[Message]) -> Outcome:
        if isinstance(value, Later):
            return goes_on(message, task, value, held)
        keep_s = self._tasks.result_ttl_s(task, message.queue)
        if keep_s or held or message.follow or message.group_id:
            return succeeded(Ack(message, keep_s=keep_s), task, value, held, self._clock.now())
        return Ack(message)

    def _failed(self, message: Message, task: Task[..., Any], error: BaseException, cause: Cause) -> Release | Fail:
        return failed(message, task, error, cause, self._tasks.policy(task, message.queue))

    def _announce(self, outcome: Outcome, task: Task[..., Any], error: BaseException | str | None) -> None:
        """Tell how an attempt ended that did not succeed. `error` is its text when it was another process's."""
        message = outcome.message
        cause = outcome.cause if isinstance(outcome, Release | Fail) else None
        if cause is not None and cause.error_class == TIMED_OUT:
            emit("timed_out", message=message)
        if isinstance(outcome, Fail):
            emit("ended_once" if task.options.ack_first else "failed", message=message, error=error or outcome.error)
        elif isinstance(outcome, Release) and outcome.error is not None:
            emit("released", message=message, error=error, delay_s=outcome.delay_s)
        elif isinstance(outcome, Continue):
            emit("continued", message=message, delay_s=outcome.delay_s)

    def _warn(self, message: Message, leftovers: str | None) -> None:
        if leftovers:
            emit("leftovers", message=message, what=leftovers)


def _earlier(one: float, other: float | None) -> float:
    return one if other is None else min(one, other)

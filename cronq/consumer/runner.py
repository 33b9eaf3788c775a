"""One message run: from the stored bytes to how it ended, which is told to who listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.consumer.alarm import NoTimer, Timer
from cronq.consumer.leftovers import look
from cronq.consumer.loaded_code import LOOK_AGAIN_S
from cronq.consumer.local_attempts import LocalAttempts
from cronq.consumer.outcomes import cause_of, concluded
from cronq.consumer.runnable import Runnable
from cronq.consumer.stops import Stops
from cronq.errors import BodyError, UnknownTaskError, UsageError
from cronq.events import emit
from cronq.host.process import peak_mb
from cronq.interruptions import is_interruption
from cronq.messages.attempts import EXPIRED, TIMED_OUT, Cause
from cronq.messages.message import Ack, Continue, Fail, Message, Outcome, Release
from cronq.tasks.context import ANYWHERE
from cronq.transports.verdict import stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from cronq.clock import Clock
    from cronq.consumer.batch_call import Ending
    from cronq.consumer.isolated_attempts import IsolatedAttempts
    from cronq.consumer.isolation import Isolation
    from cronq.consumer.leftovers import Leftovers
    from cronq.consumer.loaded_code import LoadedCode
    from cronq.consumer.run_times import Durations
    from cronq.consumer.runnable import Tasks
    from cronq.errors import CronqError
    from cronq.tasks.context import Workplace
    from cronq.tasks.task import Task


class Runner:
    """Runs messages and says how they ended.

    Whatever a task raises is its own failure, unless it `passes`: by default what ends the process (a web server's, a
    test's). In a consumer's own process nothing does: the signals that end it are only noted. `workplace` is
    what tasks are told of where they run.
    """

    def __init__(
        self,
        tasks: Tasks,
        clock: Clock,
        timer: Timer | None = None,
        passes: Callable[[BaseException], bool] = is_interruption,
        workplace: Workplace = ANYWHERE,
        stops: Stops | None = None,
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self._passes = passes
        self._code: LoadedCode | None = None
        self._stops = stops or Stops(clock)
        self._local = LocalAttempts(tasks, clock, timer or NoTimer(), passes, workplace, self._stops.task_asks)
        self._isolated: IsolatedAttempts | None = None
        self._leftovers: Leftovers | None = None

    def own_process(self, isolation: Callable[[], Isolation], leftovers: Leftovers) -> None:
        """Work in a process that is a consumer's own: it may fork, and answers for what tasks leave behind."""
        from cronq.consumer.isolated_attempts import IsolatedAttempts

        self._isolated = IsolatedAttempts(isolation, self._local, self._tell_once)
        self._leftovers = leftovers

    def leave_to_newer_code(self, code: LoadedCode) -> None:
        """Park nothing that does not fit the code of this process, when it was enqueued since that was loaded."""
        self._code = code

    @property
    def durations(self) -> Durations:
        """How long tasks took."""
        return self._local.durations

    @property
    def left_out(self) -> Collection[str]:
        """The tasks whose messages are to be left in their queues, as has turned out."""
        return self._code.unknown if self._code is not None else ()

    def prepare(self, message: Message) -> Runnable | Release | Fail:
        """Find the task and read its arguments; what has no task or does not decode goes to the failure queue.

        Unless newer code may have the task, or other parameters for it: then the message goes back, without an attempt.
        """
        if message.expires_at is not None and message.expires_at <= self._clock.now():
            text = "expired before it could be run"
            return concluded(Fail(message, text, Cause(EXPIRED, text)))
        if message.stop or self._stops.wants(message.id):
            return concluded(stopped(message, "it was not run again"))
        try:
            task = self._tasks.find(message.task)
            args, kwargs = task.codec.decode(self._body(message))
            timeout_s = self._tasks.timeout_s(task, message)
        except (UnknownTaskError, BodyError, UsageError) as error:
            if self._code is not None and self._code.may_be_older_than(message):
                return _left(message, error, self._code)
            return concluded(Fail(message, str(error), cause_of(error)))
        except Exception:  # the transport's, which the consumer bears
            raise
        except BaseException as error:  # of a type of the project's, while it was made
            if self._passes(error):
                raise
            cause = cause_of(error)
            return concluded(Fail(message, f"{cause.error_class}: {cause.text}", cause))
        confinement = self._tasks.confinement(task, message.queue) if self._isolated else None
        run = self._local.awaiting(task.run) if task.is_coroutine else task.run
        return Runnable(task, args, kwargs, timeout_s, run, confinement)

    def close(self) -> None:
        """End what asynchronous tasks have left running."""
        self._local.close()

    def _body(self, message: Message) -> bytes:
        if message.waits_for is None or not message.follow:
            return message.body
        from cronq.messages.follow import gathered

        return gathered(message, self._tasks.results(message.waits_for)).body

    def run(self, message: Message, runnable: Runnable) -> Outcome:
        """Make one attempt, tell who listens, and return its outcome."""
        emit("reserved", message=message)
        self._stops.running = (message.id,)
        outcome: Outcome
        error: BaseException | str | None
        if runnable.confinement is not None and self._isolated is not None:
            outcome, error = self._isolated.make(message, runnable, runnable.confinement)
        elif self._leftovers is not None and self._leftovers.is_due(message.task):
            before = look()
            outcome, error = self._local.make(message, runnable)
            _tell_leftovers(message, self._leftovers.found(message.task, before))
        else:
            outcome, error = self._local.make(message, runnable)
        if isinstance(outcome, Ack):
            emit("finished", message=message)
        else:
            if isinstance(outcome, Continue) and self._stops.is_known():
                outcome = outcome._replace(delay_s=0.0)  # its next slice ends it: the cursor is kept for a retry
            _tell(outcome, runnable.task, error)
        return outcome

    def run_together(self, prepared: Sequence[tuple[Message, Runnable]]) -> list[Outcome]:
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
        whole, error = self._local.make(together.leader, together.runnable)
        took_s = self._clock.monotonic() - began
        if before is not None and self._leftovers is not None:
            _tell_leftovers(together.leader, self._leftovers.found(together.task.name, before))
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
            outcome = self._local.ended(message, task, result, held)
        else:
            outcome = self._local.failed(message, task, error, cause_of(error, took_s)._replace(peak_mb=peak_mb()))
        if isinstance(outcome, Ack):
            emit("finished", message=message)
        else:
            _tell(outcome, task, error)
        return outcome

    def disconnect(self) -> None:
        """Have the project close its connections, if anything has run since it last did."""
        self._local.disconnect()

    def _tell_once(self, message: Message, leftovers: str) -> None:
        if self._leftovers is not None:
            _tell_leftovers(message, self._leftovers.report(message.task, leftovers))


def _left(message: Message, error: CronqError, code: LoadedCode) -> Release:
    """Return the end of a message that is left for newer code: out of the query, or offered again a little later."""
    emit("left_for_newer_code", message=message, error=error)
    if isinstance(error, UnknownTaskError):
        code.unknown.add(message.task)
        return Release(message, uncounted=True)
    return Release(message, LOOK_AGAIN_S, uncounted=True)


def _tell(outcome: Outcome, task: Task[..., Any], error: BaseException | str | None) -> None:
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


def _tell_leftovers(message: Message, what: str | None) -> None:
    if what:
        emit("leftovers", message=message, what=what)

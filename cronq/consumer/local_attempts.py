"""One attempt at one message in this process: what goes around the task, its time, what it enqueues, how it ended."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import cached_property
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from cronq.consumer import hooks
from cronq.consumer.alarm import not_interrupted
from cronq.consumer.forked_child import leave_at_once
from cronq.consumer.outcomes import cause_of, failed, goes_on, succeeded
from cronq.consumer.run_times import Durations
from cronq.consumer.slices import ending_in_time, last_look
from cronq.host.process import peak_mb
from cronq.messages.message import Ack, Continue
from cronq.tasks.context import Context
from cronq.tasks.cursor import Later
from cronq.tasks.unrun import refuse_unrun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.clock import Clock
    from cronq.consumer.alarm import Timer
    from cronq.consumer.event_loop import EventLoop
    from cronq.consumer.runnable import Runnable, Tasks
    from cronq.messages.attempts import Cause
    from cronq.messages.message import Fail, Message, Outcome, Release
    from cronq.tasks.context import Workplace
    from cronq.tasks.task import Task


class LocalAttempts:
    """Makes attempts in this process.

    What a task raises is its own failure, unless it `passes`. A task is told to stop when `should_stop`
    says so, or when it is about to be late.
    """

    def __init__(
        self,
        tasks: Tasks,
        clock: Clock,
        timer: Timer,
        passes: Callable[[BaseException], bool],
        workplace: Workplace,
        should_stop: Callable[[], bool],
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self.timer = timer
        self._passes = passes
        self._workplace = workplace
        self._stop_at = None if workplace.ends_at is None else last_look(workplace.ends_at, clock.monotonic())
        self.should_stop = should_stop
        self.durations: Durations = Durations()
        self._may_be_connected = True
        self._pid = 0

    def make(self, message: Message, runnable: Runnable) -> tuple[Outcome, BaseException | None]:
        """Make an attempt; return how it ended, with the exception if it was one."""
        self._may_be_connected = True
        began, self._pid = self._clock.monotonic(), os.getpid()
        outbox = self._tasks.outbox()  # of what the task enqueues: sent with its ack, dropped if it fails
        try:
            self.timer.start(runnable.timeout_s)
            try:
                value = self._call(message, runnable)
            finally:
                self.timer.stop()
        except BaseException as error:
            if os.getpid() != self._pid:  # forked by an around
                leave_at_once(error)
            if self._passes(error):
                raise
            cause = cause_of(error, self._clock.monotonic() - began)._replace(peak_mb=peak_mb())
            return self.failed(message, runnable.task, error, cause), error
        else:
            outbox.close()
            outcome = self.ended(message, runnable.task, value, outbox.messages)
            if not isinstance(outcome, Continue):  # a slice is as long as the time it is given
                self.durations.add(message.task, self._clock.monotonic() - began)
            return outcome, None
        finally:
            if outbox.is_open:
                outbox.close()
                outbox.drop()
            if self._tasks.resets:
                hooks.call("reset", self._tasks.resets)

    def ended(self, message: Message, task: Task[..., Any], value: object, held: Sequence[Message]) -> Outcome:
        """Return the outcome of an attempt whose task returned `value` and enqueued the messages `held`."""
        if isinstance(value, Later):
            return goes_on(message, task, value, held)
        keep_s = self._tasks.result_ttl_s(task, message)
        if keep_s or held or message.follow or message.group_id:
            return succeeded(Ack(message, keep_s=keep_s), task, value, held, self._clock.now())
        return Ack(message)

    def failed(self, message: Message, task: Task[..., Any], error: BaseException, cause: Cause) -> Release | Fail:
        """Return the outcome of an attempt that ended in `error`."""
        return failed(message, task, error, cause, self._tasks.policy(task, message))

    def awaiting(self, function: Callable[..., Any]) -> Callable[..., object]:
        """Return what runs a coroutine function to its end, by the loop of this process."""

        def run(*args: object, **kwargs: object) -> object:
            self.timer.interrupt = self._loop.interrupt
            try:
                return self._loop.run(function(*args, **kwargs))
            finally:
                self.timer.interrupt = not_interrupted

        return run

    @cached_property
    def _loop(self) -> EventLoop:
        from cronq.consumer.event_loop import EventLoop  # asyncio: 30 ms that most consumers do not need

        return EventLoop()

    def close(self) -> None:
        """End the loop, if there was one."""
        if "_loop" in self.__dict__:
            self._loop.close()

    def disconnect(self) -> None:
        """Have the project close its connections, if anything has run since it last did."""
        if self._may_be_connected:
            self._may_be_connected = False
            hooks.call("disconnect", self._tasks.disconnects)

    def _call(self, message: Message, runnable: Runnable) -> object:
        injected = runnable.task.codec.injects
        if not injected and not self._tasks.arounds:
            return self._run(runnable, runnable.kwargs)
        deadline, stop_at = self._ends(runnable)
        context = Context(message, deadline, ending_in_time(self.should_stop, stop_at, self._clock), self._workplace)
        with ExitStack() as stack:
            for around in self._tasks.arounds:
                stack.enter_context(around(context))
            value = self._run(runnable, runnable.kwargs | dict.fromkeys(injected, context))
        if os.getpid() != self._pid:  # forked by an around
            leave_at_once(None)
        return value

    def _run(self, runnable: Runnable, kwargs: Mapping[str, object]) -> object:
        """Call the task. A child that it has forked ends here, before it leaves the arounds, which are its parent's."""
        try:
            value = runnable.run(*runnable.args, **kwargs)
            if value is not None:
                value = self._settled(runnable.task, value)
        except BaseException as error:
            if os.getpid() != self._pid:
                leave_at_once(error)
            raise
        if os.getpid() != self._pid:
            leave_at_once(None)
        return value

    def _settled(self, task: Task[..., Any], value: Any) -> object:
        """Return what a task has returned, run to its end when it is a coroutine. Raises GiveUp for what is not run.

        A decorator may hide that a function is one.
        """
        if isinstance(value, CoroutineType):
            return self._settled(task, self.awaiting(lambda: value)())
        refuse_unrun(f"task {task.name}", value)
        return value

    def _ends(self, runnable: Runnable) -> tuple[float | None, float | None]:
        """Return the deadline of an attempt, and when its task should stop by itself, in monotonic seconds."""
        if runnable.timeout_s is None:
            return self._workplace.ends_at, self._stop_at
        now = self._clock.monotonic()
        deadline = now + runnable.timeout_s
        return _earlier(deadline, self._workplace.ends_at), _earlier(last_look(deadline, now), self._stop_at)


def _earlier(one: float, other: float | None) -> float:
    return one if other is None else min(one, other)

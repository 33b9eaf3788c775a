"""One attempt at one message in a process of its own, and what becomes of it when no process can be had."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer.outcomes import cause_of
from cronq.errors import UsageError
from cronq.events import emit
from cronq.host.process import PRESSURE
from cronq.messages.message import Continue, Fail, Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.consumer.alarm import Timer
    from cronq.consumer.isolation import Confinement, Handed, Isolation
    from cronq.consumer.local_attempts import LocalAttempts
    from cronq.consumer.runnable import Runnable
    from cronq.messages.message import Message, Outcome

    Judged = tuple[Outcome, BaseException | str | None]

NO_ROOM_WAIT_S = 10.0  # before an isolated message for which no process could be had is tried again


class IsolatedAttempts:
    """Makes attempts in processes of their own. It is decided there what follows: there the exception is real.

    `isolation` makes what forks, when the first message needs it. `tell_once` reports what a task leaves
    behind.
    """

    def __init__(
        self, isolation: Callable[[], Isolation], local: LocalAttempts, tell_once: Callable[[Message, str], None]
    ) -> None:
        self._isolation = isolation
        self._local = local
        self._tell_once = tell_once

    def make(self, message: Message, runnable: Runnable, confinement: Confinement) -> Judged:
        """Make an attempt; return how it ended, with the exception, or its text when it was the other process's."""
        isolation = self._isolation()
        self._local.disconnect()  # a connection must not be used by two processes
        try:
            handed = isolation.run(self._attempt(message, runnable), message, runnable.timeout_s, confinement)
        except UsageError as error:
            return self._local.failed(message, runnable.task, error, cause_of(error)), error
        except OSError as error:
            if error.errno not in PRESSURE:
                raise
            return self._without_room(message, runnable, error)
        if handed.leftovers:
            self._tell_once(message, "a child process")
        return self._judged(message, runnable, handed)

    def _attempt(self, message: Message, runnable: Runnable) -> Callable[[Timer, Callable[[], bool]], Outcome]:
        """Return what is done in the child."""
        local = self._local

        def attempt(timer: Timer, should_stop: Callable[[], bool]) -> Outcome:
            local.timer, local.should_stop = timer, should_stop
            return local.make(message, runnable)[0]

        return attempt

    def _without_room(self, message: Message, runnable: Runnable, error: OSError) -> Judged:
        emit("pressure", what=f"the process of an isolated message ({error.strerror})")
        if runnable.task.options.ack_first:  # it has left its queue already
            return self._local.failed(message, runnable.task, error, cause_of(error)), error
        return Release(message, NO_ROOM_WAIT_S, uncounted=True), None

    def _judged(self, message: Message, runnable: Runnable, handed: Handed) -> Judged:
        result = handed.result
        if isinstance(result, BaseException):
            cause = handed.measured(cause_of(result))
            return self._local.failed(message, runnable.task, result, cause), result
        if isinstance(result, Release | Fail):
            return result, f"{result.cause.error_class}: {result.cause.text}" if result.cause else result.error
        if not isinstance(result, Continue):
            self._local.durations.add(message.task, handed.took_s)
        return result, None

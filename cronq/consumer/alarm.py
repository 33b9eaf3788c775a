"""SIGALRM of a consumer: its timer (setitimer(2)) ends a task at its timeout, and shares what waits behind it.

Sent by another process it says: look whether the message that runs is to be stopped. Not SIGUSR1, which would end a
consumer of an older release, and which projects give to faulthandler.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Protocol, TypeAlias

from cronq.errors import TaskStopped, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from cronq.clock import Clock

_AGAIN_S = 0.05
INSIST_AFTER_S = 2.0  # for a coroutine that does not come to its next await

Interrupt: TypeAlias = "Callable[[BaseException], bool]"


def not_interrupted(error: BaseException) -> bool:
    """Nothing but the exception itself ends what runs."""
    return False


class Timer(Protocol):
    """What a consumer needs to bound an attempt in time.

    `interrupt` is told first and answers whether it will see to the end; otherwise the exception is raised.
    """

    interrupt: Interrupt

    def start(self, timeout_s: float | None) -> None:
        """Raise TaskTimeout in the running task after `timeout_s`."""

    def stop(self) -> None:
        """The attempt is over."""


class NoTimer:
    """Where signals belong to somebody else (inside a web server), timeouts are not enforced."""

    interrupt: Interrupt = staticmethod(not_interrupted)

    def start(self, timeout_s: float | None) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""


class Alarm:
    """SIGALRM of this process. Only the main thread of a process may have one.

    `stop_in` is asked whenever it rings, in how many seconds the running task is to be stopped; None for not at all.
    """

    def __init__(self, clock: Clock, stop_in: Callable[[], float | None] = lambda: None) -> None:
        self._clock = clock
        self._stop_in = stop_in
        self._look_at: float | None = None
        self._is_on = False
        self._share: Callable[[], bool] = lambda: True
        self._share_at: float | None = None
        self._timeout_at: float | None = None
        self._timeout_s = 0.0
        self._insist_at: float | None = None
        self._ending: BaseException | None = None
        self.interrupt: Interrupt = not_interrupted
        signal.signal(signal.SIGALRM, self._ring)

    def share_after(self, seconds: float | None, share: Callable[[], bool]) -> None:
        """Call `share` after so many seconds, in the signal handler, between two bytecodes of the running task.

        It answers whether it is done; when not (the task is in the middle of a transaction of ours) it is called again
        a little later. None seconds: do not call it after all.
        """
        self._share = share
        if seconds is not None or self._share_at is not None:
            self._share_at = None if seconds is None else self._clock.monotonic() + seconds
            self._set()

    def start(self, timeout_s: float | None) -> None:
        self._is_on = True
        if timeout_s is not None:
            self._timeout_s = timeout_s
            self._timeout_at = self._clock.monotonic() + timeout_s
            self._set()

    def stop(self) -> None:
        self._is_on = False
        if self._timeout_at is not None or self._insist_at is not None:
            self._timeout_at = self._insist_at = None
            self._set()

    def _set(self) -> None:
        due = [at for at in (self._share_at, self._timeout_at, self._look_at, self._insist_at) if at is not None]
        signal.setitimer(signal.ITIMER_REAL, max(0.001, min(due) - self._clock.monotonic()) if due else 0)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        now = self._clock.monotonic()
        if self._share_at is not None and self._share_at <= now:
            self._share_at = None
            if not self._share():
                self._share_at = now + _AGAIN_S
        timed_out = self._timeout_at is not None and self._timeout_at <= now
        if timed_out:
            self._timeout_at = None
        stop_in = None if timed_out else self._stop_in()
        self._look_at = now + stop_in if stop_in else None
        self._set()
        if timed_out:
            self._end(TaskTimeout(f"took longer than its timeout of {self._timeout_s:g} s"), now)
        elif stop_in == 0 and self._is_on:
            self._end(TaskStopped("somebody asked for its end"), now)
        elif self._ending is not None and self._insist_at is not None and self._insist_at <= now:
            self._insist_at = None
            raise self._ending

    def _end(self, error: BaseException, now: float) -> None:
        """End what runs: by a word, and by force when that is not heard in time."""
        if not self.interrupt(error):
            raise error
        self._ending, self._insist_at = error, now + INSIST_AFTER_S
        self._set()

"""An attempt in a process of its own: what crashes, leaks or hangs there cannot harm the consumer."""

from __future__ import annotations

import mmap
import os
import signal
from typing import TYPE_CHECKING

from cronq.consumer.alarm import Alarm
from cronq.consumer.child import run_in_child
from cronq.consumer.handback import pack, unpack
from cronq.consumer.stops import GRACE_S
from cronq.errors import Killed, OutOfMemory, TaskStopped, TaskTimeout
from cronq.host.control_group import limit_mb, oom_kills, own_group
from cronq.messages.attempts import OUTPUT_LENGTH
from cronq.messages.causes import Memory, out_of_memory
from cronq.messages.message import Fail, Release
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.clock import Clock
    from cronq.consumer.alarm import Interrupt, Timer
    from cronq.consumer.stops import Stops
    from cronq.consumer.watch import Ended
    from cronq.messages.attempts import Cause
    from cronq.messages.message import Message, Outcome

    Attempt = Callable[[Timer, Callable[[], bool]], Outcome]


_TOLD, _STOP, _LOOKS = range(3)
"""Bytes that consumer and child share, 1 when: the task should stop; somebody wants it ended; it asks about that."""


class Confinement(NamedTuple):
    """How an attempt is isolated: with how much memory at most, and whether what it prints is kept."""

    memory_mb: int | None = None
    captures: bool = False


class Handed(NamedTuple):
    """What came back: the outcome, or else the death of the process as an exception; and what was measured.

    `leftovers`: processes that the message had started go on.
    """

    result: Outcome | BaseException
    took_s: float
    peak_mb: float
    output: str
    leftovers: bool

    def measured(self, cause: Cause) -> Cause:
        """Return a cause with what was measured from outside."""
        return cause._replace(took_s=self.took_s, peak_mb=self.peak_mb, output=self.output)


class Isolation:
    """Makes attempts in forked children of this process. For the main thread of a consumer only."""

    def __init__(self, clock: Clock, stops: Stops) -> None:
        self._clock = clock
        self._stops = stops
        self._shared = mmap.mmap(-1, 3)  # with the children
        self._memory_group = own_group()
        self._oom_kills = oom_kills(self._memory_group)

    def run(self, attempt: Attempt, message: Message, timeout_s: float | None, confinement: Confinement) -> Handed:
        """Make one attempt. Raises OSError when no process can be had, UsageError where isolation is impossible."""
        self._shared[:] = bytes(3)

        def work() -> bytes:
            return pack(attempt(Bounds(self._clock, confinement.memory_mb, self._stop_in), self._is_told))

        ended = run_in_child(work, timeout_s, confinement.captures, self._tell)
        outcome = None if ended.answer is None else unpack(ended.answer, message)
        if outcome is None:
            memory = self._memory(ended, confinement)
            return _handed(_stopped(ended) if self._shared[_STOP] else _death(ended, timeout_s, memory), ended)
        handed = _handed(outcome, ended)
        if isinstance(outcome, Release | Fail) and outcome.cause is not None:
            cause = handed.measured(_explained(outcome.cause, confinement))
            return handed._replace(result=outcome._replace(cause=cause))
        return handed

    def _memory(self, ended: Ended, confinement: Confinement) -> Memory:
        """Return what is known of a dead process's memory, with the kills since the last death."""
        before, self._oom_kills = self._oom_kills, oom_kills(self._memory_group)
        limits = (*_known(limit_mb(self._memory_group)), *_known(confinement.memory_mb))
        return Memory(ended.peak_mb, limits, self._oom_kills - before)

    def _tell(self) -> float | None:
        """Tell the child what it should know; return in how many seconds it has to be ended, None for not yet."""
        is_asked = self._stops.is_asked()
        if is_asked or self._stops.is_leaving():
            self._shared[_TOLD] = 1
        if not is_asked:
            return None
        self._shared[_STOP] = 1
        return GRACE_S if self._shared[_LOOKS] else 0.0

    def _is_told(self) -> bool:
        """In the child: its task looks at `should_stop`."""
        self._shared[_LOOKS] = 1
        return self._shared[_TOLD] == 1

    def _stop_in(self) -> float | None:
        """In the child, when SIGALRM comes: its consumer has given it all the time that there is."""
        return 0.0 if self._shared[_STOP] else None


class Bounds:
    """The Timer of a child: bounds its attempt in time and in memory.

    RLIMIT_DATA, not RLIMIT_AS: that one counts address space, of which NumPy, thread stacks and shared libraries
    reserve gigabytes they never use. Both are lifted before the failure is described, which takes memory, too.
    """

    def __init__(self, clock: Clock, memory_mb: int | None, stop_in: Callable[[], float | None] = lambda: None) -> None:
        self._alarm = Alarm(clock, stop_in)
        self._memory_mb = memory_mb

    @property
    def interrupt(self) -> Interrupt:
        return self._alarm.interrupt

    @interrupt.setter
    def interrupt(self, interrupt: Interrupt) -> None:
        self._alarm.interrupt = interrupt

    def start(self, timeout_s: float | None) -> None:
        self._alarm.start(timeout_s)
        if self._memory_mb is not None:
            _limit_memory(self._memory_mb * 1048576)

    def stop(self) -> None:
        if self._memory_mb is not None:
            _limit_memory(None)
        self._alarm.stop()


def _limit_memory(most: int | None) -> None:
    """Move the soft limit, None: as far as it goes; a hard one that the host has set stands."""
    import resource  # not there on Windows, where this module is imported all the same

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = hard if most is None else most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _known(limit_mb: float | None) -> tuple[float, ...]:
    return () if limit_mb is None else (limit_mb,)


def _handed(result: Outcome | BaseException, ended: Ended) -> Handed:
    output = ended.output.decode(errors="replace")[-OUTPUT_LENGTH:]
    return Handed(result, ended.took_s, ended.peak_mb, output, ended.leftovers)


def _explained(cause: Cause, confinement: Confinement) -> Cause:
    """Say of a MemoryError, which has no text of its own, what it met."""
    if cause.error_class != "MemoryError" or confinement.memory_mb is None:
        return cause
    return cause._replace(text=f"{cause.text or 'out of memory'}: it may have {confinement.memory_mb} MB (memory_mb)")


def _death(ended: Ended, timeout_s: float | None, memory: Memory) -> Exception | TaskTimeout:
    """Return why a process ended without an answer, as the exception that retry policies see."""
    code = os.waitstatus_to_exitcode(ended.status)
    peak = f", its peak was {ended.peak_mb:.0f} MB"
    if ended.stopped_by is not None:
        name = ended.stopped_by.name
        return TaskTimeout(f"took longer than its timeout of {timeout_s:g} s, and only {name} ended it{peak}")
    if code >= 0:
        return Killed(f"its process left with exit code {code} before the task had returned{peak}")
    why = out_of_memory(memory)
    name = _signal_name(-code)
    return OutOfMemory(f"its process was ended by {name}: {why}") if why else Killed(f"ended by {name}{peak}")


def _stopped(ended: Ended) -> TaskStopped:
    name = _signal_name(-code) if (code := os.waitstatus_to_exitcode(ended.status)) < 0 else f"exit code {code}"
    return TaskStopped(f"somebody asked for its end; its process ended by {name}, its peak was {ended.peak_mb:.0f} MB")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

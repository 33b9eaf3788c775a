"""The consumer's side of a forked child: wait, take what it hands over, end it when it overstays its time."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

TERM_AFTER_S = 1.0  # after the timeout: SIGALRM, in the child itself, comes first and says where the task hung
KILL_AFTER_S = 2.5
LOOK_S = 0.5  # how soon the child learns that its consumer is to leave
TAIL = 8000  # bytes of output that are kept
PIPE_SIZE = 65536  # pipe(7)
LENGTH = 8  # bytes of the number in front of the answer


class Ended(NamedTuple):
    """How a child ended. `status` is as waitpid(2) gives it, `stopped_by` the signal that we had to send.

    `answer` is None when it ended without one. `leftovers`: processes that it had started go on.
    """

    answer: bytes | None
    status: int
    peak_mb: float
    took_s: float
    stopped_by: signal.Signals | None = None
    output: bytes = b""
    leftovers: bool = False


class Watch:
    """The consumer's side of one child."""

    def __init__(self, pid: int, timeout_s: float | None, answer: int, output: int | None = None) -> None:
        self._pid = pid
        self._began = time.monotonic()
        self._answer, self._received = answer, bytearray()
        self._output, self._printed = output, bytearray()
        self._poll = select.poll()
        self._open = {answer} if output is None else {answer, output}
        for descriptor in self._open:
            os.set_blocking(descriptor, False)
            self._poll.register(descriptor, select.POLLIN)
        self._steps: list[tuple[float, signal.Signals]] = []
        if timeout_s is not None:
            ends_at = self._began + timeout_s
            self._steps = [(ends_at + TERM_AFTER_S, signal.SIGTERM), (ends_at + KILL_AFTER_S, signal.SIGKILL)]
        self._stopped_by: signal.Signals | None = None
        self._is_doomed = False
        self._pause_s = 0.0005

    def until_ended(self, meanwhile: Callable[[], float | None]) -> Ended:
        """Wait for the child, whatever happens; if this process is interrupted, the child is ended first."""
        status = None
        try:
            while (status := self._reap()) is None:
                self._stop_when_due()
                self._end_in(meanwhile())
                self._receive(self._patience_s())
            self._receive(0)
        finally:
            if status is None:
                self._signal(signal.SIGKILL)
                with suppress(ChildProcessError):
                    os.waitpid(self._pid, 0)
            close(self._answer, *(() if self._output is None else (self._output,)))
        return self._ended(*status)

    def _reap(self) -> tuple[int, float] | None:
        """Return the status and the peak memory of the child if it has ended. With its answer here it is about to."""
        try:
            pid, status, usage = os.wait4(self._pid, os.WNOHANG if self._found() is None else 0)
        except ChildProcessError:  # the project ignores SIGCHLD, so the kernel tells nobody
            return 0, 0.0
        return (status, usage.ru_maxrss / 1024) if pid else None

    def _found(self) -> bytes | None:
        length = int.from_bytes(self._received[:LENGTH], "big")
        is_whole = len(self._received) >= LENGTH and len(self._received) == LENGTH + length
        return bytes(self._received[LENGTH:]) if is_whole else None

    def _patience_s(self) -> float:
        if self._answer not in self._open:  # closed: it is about to end, most likely
            self._pause_s = min(2 * self._pause_s, LOOK_S)
            return self._pause_s
        next_step_s = self._steps[0][0] - time.monotonic() if self._steps else LOOK_S
        return max(0.001, min(LOOK_S, next_step_s))

    def _stop_when_due(self) -> None:
        if self._steps and time.monotonic() >= self._steps[0][0]:
            _, self._stopped_by = self._steps.pop(0)
            self._signal(self._stopped_by)

    def _end_in(self, seconds: float | None) -> None:
        """End the child, whatever its timeout: told once, it has so many seconds, and longer if it reacts."""
        if seconds is None or self._is_doomed:
            return
        self._is_doomed = True
        ends_at = time.monotonic() + seconds
        self._steps = [
            (ends_at, signal.SIGALRM),  # raises TaskStopped in it
            (ends_at + TERM_AFTER_S, signal.SIGTERM),
            (ends_at + KILL_AFTER_S, signal.SIGKILL),
        ]
        self._stop_when_due()

    def _signal(self, number: signal.Signals) -> None:
        """Signal the child, and what it started; at the very beginning it may not have its own group yet."""
        sends = (os.kill,) if number is signal.SIGALRM else (os.killpg, os.kill)
        for send in sends:
            try:
                send(self._pid, number)
            except (ProcessLookupError, PermissionError):
                continue

    def _receive(self, within_s: float) -> None:
        for descriptor, _ in self._poll.poll(within_s * 1000):
            self._read(descriptor)

    def _read(self, descriptor: int) -> None:
        """Read once: all that a pipe holds when its writer is dead, and no more than that from one who never stops."""
        try:
            chunk = os.read(descriptor, PIPE_SIZE)
        except BlockingIOError:
            return
        if not chunk:
            self._poll.unregister(descriptor)
            self._open.discard(descriptor)
        elif descriptor == self._answer:
            self._received += chunk
        else:
            self._printed = (self._printed + chunk)[-TAIL:]
            write(2, chunk)

    def _ended(self, status: int, peak_mb: float) -> Ended:
        took_s = time.monotonic() - self._began
        leftovers = self._stopped_by is None and self._has_left_processes()
        return Ended(self._found(), status, peak_mb, took_s, self._stopped_by, bytes(self._printed), leftovers)

    def _has_left_processes(self) -> bool:
        try:
            os.killpg(self._pid, 0)
        except OSError:
            return False
        return True


def write(descriptor: int, data: bytes) -> None:
    """Write all, or as much as somebody takes."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except OSError:
            return


def close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)

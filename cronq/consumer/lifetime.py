"""Why a consumer leaves: a signal, a limit, `cronq stop`, new code. Asked between two messages."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from cronq.clock import Clock
    from cronq.consumer.limits import Limit
    from cronq.consumer.tally import Tally

LOOK_S = 0.5  # files are looked at twice a second at most
TO_LEAVE = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGQUIT") if hasattr(signal, name))


class Signals:
    """SIGTERM, SIGINT and SIGQUIT ask the consumer to finish its message and leave. The handler only takes a note.

    `wake_descriptor` becomes readable with every signal, so that an idle consumer wakes (signal.set_wakeup_fd).
    """

    def __init__(self) -> None:
        self.received: str | None = None
        self.wake_descriptor: int
        self.wake_descriptor, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def listen(self) -> None:
        for number in TO_LEAVE:
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*TO_LEAVE, signal.SIGALRM})
        os.register_at_fork(after_in_child=_as_if_never_listened)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name

    def reason(self) -> str | None:
        return f"{self.received} received" if self.received else None


class ChangedFiles:
    """Leave when one of some files is made, touched or removed: `stop`, `tmp/restart.txt`, code markers."""

    def __init__(self, paths: Sequence[str], clock: Clock) -> None:
        self._paths = paths
        self._clock = clock
        self._seen = [_stamp(path) for path in paths]
        self._next_look = clock.monotonic() + LOOK_S

    def reason(self) -> str | None:
        if self._clock.monotonic() < self._next_look:
            return None
        self._next_look = self._clock.monotonic() + LOOK_S
        changed = self.changed()
        if changed is None:
            return None
        self._next_look = 0.0  # asked again, it says the same again
        return f"{changed} changed"

    def changed(self) -> str | None:
        """Look now, and return the first path that is not as it was."""
        return next((path for path, seen in zip(self._paths, self._seen, strict=True) if _stamp(path) != seen), None)


class Seldom:
    """Asks somebody else twice a second at most: what costs a system call is not asked after every message."""

    def __init__(self, ask: Callable[[], str | None], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._next_look = clock.monotonic() + LOOK_S

    def reason(self) -> str | None:
        if self._clock.monotonic() < self._next_look:
            return None
        self._next_look = self._clock.monotonic() + LOOK_S
        return self._ask()


class Leaving:
    """All reasons to leave, asked in one go."""

    def __init__(
        self, tally: Tally, limits: Sequence[Limit] = (), askers: Sequence[Callable[[], str | None]] = ()
    ) -> None:
        self._tally = tally
        self._limits = limits
        self._askers = askers

    def reason(self) -> str | None:
        """Say why the consumer should leave now; None to go on."""
        for limit in self._limits:
            reason = limit.reason(self._tally)
            if reason:
                return reason
        for ask in self._askers:
            reason = ask()
            if reason:
                return reason
        return None

    def comes_at(self) -> float | None:
        """Return when a limit may give a reason though nothing happens, in monotonic seconds; None for never."""
        times = (limit.comes_at(self._tally) for limit in self._limits)
        return min((at for at in times if at is not None), default=None)


def _as_if_never_listened() -> None:
    """A process that a task forks ends on SIGTERM as any other: multiprocessing counts on it."""
    signal.set_wakeup_fd(-1)
    for number in (*TO_LEAVE, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino

"""A consumer that does nothing but live: a process of its own in a slot, idle or at a message, until a test ends it."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cronq.supervisor import slots

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.host.state_dir import StateDir

QUEUES = ("high", "normal", "low")


class Living:
    """The process, once it holds its slot."""

    def __init__(self, state: StateDir, group: str, queues: Sequence[str], is_busy: bool, begins: bool) -> None:
        state.prepare()
        ready, told = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            _live(state, group, queues, is_busy, begins, told)
        os.close(told)
        assert os.read(ready, 1) == b"!", "it did not get its slot"
        os.close(ready)

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it: SIGKILL as a host does, SIGTERM as one that leaves of its own will."""
        if self.pid:
            os.kill(self.pid, number)
            os.waitpid(self.pid, 0)
            self.pid = 0


@contextmanager
def living(
    state: StateDir,
    group: str = "standby",
    queues: Sequence[str] = QUEUES,
    *,
    is_busy: bool = False,
    begins: bool = True,
) -> Iterator[Living]:
    """Have a consumer in the first slot of a group. One that has not begun holds its slot and has noted nothing yet."""
    one = Living(state, group, queues, is_busy, begins)
    try:
        yield one
    finally:
        one.end()


def _live(state: StateDir, group: str, queues: Sequence[str], is_busy: bool, begins: bool, told: int) -> None:
    try:
        slot = slots.take(state, group, 1)
        assert slot is not None
        if begins:
            slot.begin(queues, 0.0, slots.CONSUMING)
        if is_busy:
            slot.note(1)

        def leave(number: int, frame: object) -> None:
            slot.leave("told to")
            os._exit(0)

        signal.signal(signal.SIGTERM, leave)
        os.write(told, b"!")
        while True:
            signal.pause()
    finally:
        os._exit(1)

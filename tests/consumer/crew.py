"""A consumer whose every collaborator is at hand, stepped by the test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.consumer.batch_size import BatchSize
from cronq.consumer.lifetime import Leaving
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.rest import Rest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.errors import TransportError
from cronq.host import bell
from cronq.messages.message import State
from cronq.transports.memory.transport import MemoryTransport
from tests.clocks import FakeClock
from tests.making import ME, app

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app import App
    from cronq.consumer.loaded_code import LoadedCode


class Watched(MemoryTransport):
    """Remembers its exchanges, and fails when a test wants it to."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.exchanges: list[tuple[list[str], bool]] = []
        self.expected: list[bool] = []
        self.failures: list[TransportError] = []
        self.during: Callable[[], object] = lambda: None

    def exchange(self, holder, outcomes, want):
        if self.failures:
            raise self.failures.pop(0)
        self.exchanges.append(([type(one).__name__ for one in outcomes], want is not None))
        if want is not None:
            self.expected.append(want.is_expected)
        during, self.during = self.during, lambda: None
        during()
        return super().exchange(holder, outcomes, want)

    def is_busy(self):
        return False


class Post:
    """A slot that only remembers."""

    holder = str(ME)

    def __init__(self) -> None:
        self.notes: list[tuple[int, float | None]] = []
        self.idle: list[int] = []

    def note(self, position, must_end=None):
        self.notes.append((position, must_end))

    def note_idle(self, position):
        self.idle.append(position)


class Bells(bell.Bells):
    """Waits by moving the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.waits: list[float] = []
        self.rung = 0
        self.rings = False

    def drain(self):
        pass

    def wait(self, at_most_s):
        self.waits.append(at_most_s)
        self.clock.advance(at_most_s)
        rings, self.rings = self.rings, False
        return rings

    def ring(self):
        self.rung += 1


class Crew:
    def __init__(self, *, batch: int = 1, ack_each: bool = False, code: LoadedCode | None = None, **duty: Any) -> None:
        self.clock = FakeClock()
        self.app: App = app(self.clock)
        self.transport = Watched(self.clock)
        self.app.installation.transport = self.transport
        self.post = Post()
        self.bells = Bells(self.clock)
        self.tally = Tally()
        self.reasons: list[str] = []
        self.looks: list[bool] = []
        self.looked: Callable[[bool], None] = self.looks.append
        self.countdowns: list[float | None] = []
        self.ran: list[Any] = []
        size = BatchSize()
        size.size = batch
        runner = Runner(self.app.runner_tasks(), self.clock)
        if code is not None:
            runner.leave_to_newer_code(code)
        self.consumer = Consumer(
            self.transport,
            runner,
            Duty(["high", "normal", "low"], lapse_s=300, **duty),
            self.post,
            Conditions(
                Leaving(self.tally, (), [lambda: self.reasons[0] if self.reasons else None]),
                self.tally,
                Rest(self.bells, self.clock, 5.0),
                self.clock,
                size,
                looked=self._looked,
                share_after=lambda seconds, share: self.countdowns.append(seconds),
                ack_each=ack_each,
            ),
        )
        self.batch = size

    def task(self, function: Callable[..., object] | None = None, **options: Any):
        """Register `function`, by default one that remembers its argument."""

        def remember(value):
            self.ran.append(value)

        function = function or remember
        return self.app.task(name=f"shop.{function.__name__}", **options)(function)

    def _looked(self, busy: bool) -> None:
        self.looked(busy)

    def step(self, times: int = 1) -> str | None:
        reason = None
        for _ in range(times):
            reason = self.consumer.step()
        return reason


def pressure() -> TransportError:
    return TransportError("queue.db: the disk is full", pressure=True)


def attempts(crew: Crew) -> list[int]:
    records = [record for state in (State.READY, State.DELAYED) for record in crew.transport.browse(state)]
    return [record.message.attempt for record in records]

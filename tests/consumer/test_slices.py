"""Long work in slices, each as long as the process that runs it may live."""

from __future__ import annotations

from typing import Any

from cronq import Context  # noqa: TC001 - read when the task is registered
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.lifetime import Leaving
from cronq.consumer.limits import TimeLimit
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.post import NoPost
from cronq.consumer.rest import NoRest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.tasks.context import Workplace
from tests.clocks import FakeClock
from tests.making import app

HOURS = 2 * 3600


class Imports:
    """An import of a row a second, in consumers that live for 55 seconds."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.app = app(self.clock)
        self.rows: list[int] = []
        self.slices: list[int] = []
        self.task = self.app.task(name="shop.import_rows", **options)(self.import_rows)

    def import_rows(self, context: Context) -> object:
        begun = context.cursor or 0
        for number in range(begun, HOURS):
            if context.should_stop:
                self.slices.append(number - begun)
                return context.continue_later(number)
            self.rows.append(number)
            self.clock.advance(1)
        return None

    def consume(self, life_s: float = 55.0) -> float:
        """Let one consumer live; return how long it did."""
        began = self.clock.monotonic()
        deadline, tally = began + life_s, Tally()
        leaving = Leaving(tally, [TimeLimit(deadline, self.clock)])
        conditions = Conditions(leaving, tally, NoRest(), self.clock, BatchSize(most=1))
        runner = Runner(self.app.runner_tasks(), self.clock, workplace=Workplace(ends_at=deadline))
        duty = Duty(["normal"], 300, stop_when_empty=True)
        Consumer(self.app.transport, runner, duty, NoPost(), conditions).run()
        return self.clock.monotonic() - began


def test_two_hours_of_work_are_done_in_slices_of_less_than_a_minute():
    imports = Imports()
    ref = imports.task.enqueue()
    lives = []
    while ref.status != "gone":
        lives.append(imports.consume())
    assert imports.rows == list(range(HOURS))
    assert max(lives) <= 55
    assert len(imports.slices) == len(lives) - 1  # one slice for each consumer, none that is too short
    assert set(imports.slices) == {50}


def test_a_slice_keeps_within_the_timeout_of_its_task():
    imports = Imports(timeout_s=20)
    imports.task.enqueue()
    imports.consume()
    assert imports.slices == [18, 18, 14]


def test_a_task_that_always_goes_on_is_not_taken_for_one_without_time():
    imports = Imports()

    def step(context: Context) -> object:
        imports.clock.advance(5)
        imports.slices.append(context.cursor or 0)
        return context.continue_later(len(imports.slices))

    imports.app.task(name="shop.step")(step).enqueue()
    imports.consume()
    assert imports.slices == list(range(10))

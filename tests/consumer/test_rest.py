from __future__ import annotations

import pytest

from cronq.consumer.rest import Rest
from tests.clocks import FakeClock
from tests.consumer.crew import Bells


class Ordered(Bells):
    def __init__(self, clock, happened):
        super().__init__(clock)
        self.happened = happened

    def drain(self):
        self.happened.append("drain")

    def wait(self, at_most_s):
        self.happened.append("wait")
        return super().wait(at_most_s)


def rest(clock: FakeClock, happened: list[str], deadline_in: float | None = None) -> tuple[Rest, Ordered]:
    bells = Ordered(clock, happened)
    leaves_at = None if deadline_in is None else clock.monotonic() + deadline_in
    return Rest(bells, clock, 5.0, lambda: leaves_at), bells


def test_it_looks_after_forgetting_old_rings_and_before_sleeping():
    happened: list[str] = []

    def look() -> bool:
        happened.append("look")
        return False

    rest(FakeClock(), happened)[0].until_work(look, lambda: None)
    assert happened == ["drain", "look", "wait"]


def test_it_does_not_sleep_on_work():
    happened: list[str] = []
    assert rest(FakeClock(), happened)[0].until_work(lambda: True, lambda: None) is True
    assert "wait" not in happened


@pytest.mark.parametrize(
    ("next_in", "deadline_in", "expected"),
    [(None, None, 5), (2, None, 2), (2, 1, 1), (90, 90, 5), (-3, 90, 0), (2, -1, 0)],
)
def test_it_sleeps_until_the_first_of_all_that_may_come(next_in, deadline_in, expected):
    clock = FakeClock()
    resting, bells = rest(clock, [], deadline_in)
    next_at = None if next_in is None else clock.now() + next_in
    resting.until_work(lambda: False, lambda: next_at)
    assert bells.waits == [expected]


def test_it_waits_for_better_times_no_longer_than_it_may_stay():
    clock = FakeClock()
    resting, bells = rest(clock, [], 2)
    resting.briefly(30)
    assert bells.waits == [2]


def test_it_passes_a_wake_up_on():
    resting, bells = rest(FakeClock(), [])
    resting.pass_on()
    assert bells.rung == 1


def test_it_gets_up_for_an_errand():
    clock = FakeClock()
    bells = Bells(clock)
    errands = [clock.now() + 2, clock.now() + 90, None, clock.now() - 1]
    resting = Rest(bells, clock, 5.0, errand_at=lambda: errands.pop(0))
    for _ in range(4):
        clock.wall = 1_000_000_000.0
        resting.until_work(lambda: False, lambda: None)
    assert bells.waits == [2, 5, 5, 0]

from __future__ import annotations

from cronq.consumer.foresight import LOOK_EVERY_S, Foresight
from cronq.consumer.run_times import Durations
from tests.clocks import FakeClock


def test_tasks_that_were_short_so_far_are_known_from_earlier_consumers():
    assert Foresight({"a": 0.99, "b": 1.0}, Durations(), lambda: None, FakeClock()).short == {"a"}


def test_a_task_without_a_measured_time_counts_as_long_until_it_was_run():
    calls, measured, clock = [], Durations(), FakeClock()
    foresight = Foresight({}, measured, lambda: calls.append(1), clock)
    foresight.before("a")
    measured.add("a", 0.1)
    clock.advance(LOOK_EVERY_S)
    foresight.before("a")
    assert (len(calls), foresight.short) == (1, {"a"})


def test_a_task_that_turned_out_long_stays_long():
    calls, measured, clock = [], Durations(), FakeClock()
    foresight = Foresight({}, measured, lambda: calls.append(1), clock)
    for _ in range(2):
        foresight.before("a")
        measured.add("a", 5.0)
        clock.advance(5.0)
    assert (len(calls), foresight.short) == (2, set())


def test_help_is_called_for_once_a_second_at_most():
    calls, clock = [], FakeClock()
    foresight = Foresight({}, Durations(), lambda: calls.append(1), clock)
    for _ in range(30):
        foresight.before("fails")
        clock.advance(0.1)
    assert len(calls) == 3

from __future__ import annotations

from typing import Any

import pytest

from cronq.config.limit_keys import DEFAULTS
from cronq.consumer.limits import (
    FailureLimit,
    IdleLimit,
    Limit,
    LimitFacts,
    MemoryLimit,
    MessageLimit,
    TimeLimit,
    limits_of,
    refuse_mismatch,
)
from cronq.consumer.tally import Tally
from tests.clocks import FakeClock


def tally(messages: int = 0, failures: int = 0) -> Tally:
    made = Tally()
    made.messages, made.failures = messages, failures
    return made


def test_the_message_limit_ends_after_so_many_messages():
    limit = MessageLimit(3)
    assert [limit.reason(tally(number)) for number in (2, 3, 4)] == [None, "3 messages run", "3 messages run"]


def test_the_failure_limit_counts_failures_only():
    limit = FailureLimit(2)
    assert limit.reason(tally(100, 1)) is None
    assert limit.reason(tally(100, 2)) == "2 attempts failed"


def test_the_time_limit_ends_at_its_deadline_whatever_the_wall_clock_does():
    clock = FakeClock()
    limit = TimeLimit(clock.monotonic() + 60, clock)
    clock.wall += 86400
    assert limit.reason(tally()) is None
    clock.advance(60)
    assert limit.reason(tally()) == "time limit reached"


def test_after_the_last_slice_nothing_is_begun_that_would_be_too_short():
    clock, done = FakeClock(), tally()
    limit = TimeLimit(clock.monotonic() + 60, clock)
    clock.advance(54)
    done.sliced_at = clock.monotonic()
    assert limit.reason(done) is None
    clock.advance(1)
    assert limit.reason(done) is None
    done.sliced_at = clock.monotonic()
    assert limit.reason(done) == "time limit nearly reached: no time for another slice"


def test_the_memory_limit_ends_with_how_much_it_found():
    limit = MemoryLimit(256, lambda: 300.4, FakeClock())
    assert limit.reason(tally()) == "memory limit reached (300 of 256 MB)"


def test_memory_is_looked_at_a_few_times_a_second_only():
    clock, looks = FakeClock(), []

    def look() -> float:
        looks.append(1)
        return 10.0

    limit = MemoryLimit(256, look, clock)
    for _ in range(100):
        limit.reason(tally())
        clock.advance(0.01)
    assert 3 <= len(looks) <= 6


def idle_since(seconds: float | None) -> Tally:
    made = Tally()
    made.idle_since = seconds
    return made


def test_the_idle_limit_makes_room_when_the_place_is_wanted():
    clock = FakeClock()
    limit = IdleLimit(10, lambda: True, clock)
    assert limit.reason(idle_since(clock.monotonic() - 9)) is None
    assert "idle" in (limit.reason(idle_since(clock.monotonic() - 10)) or "")


def test_the_idle_limit_lets_a_consumer_stay_while_there_is_room():
    clock = FakeClock()
    assert IdleLimit(10, lambda: False, clock).reason(idle_since(clock.monotonic() - 60)) is None


def test_the_idle_limit_asks_nobody_about_a_consumer_that_has_work():
    def never():
        raise AssertionError

    assert IdleLimit(10, never, FakeClock()).reason(idle_since(None)) is None


def test_the_idle_limit_is_asked_again_when_it_may_come_and_not_at_a_time_that_is_past():
    clock = FakeClock()
    began = clock.monotonic()
    limit = IdleLimit(10, lambda: False, clock)
    assert limit.comes_at(idle_since(None)) is None
    assert limit.comes_at(idle_since(began)) == began + 10
    clock.advance(10)
    assert limit.comes_at(idle_since(began)) is None  # it would be waited for without a pause


def test_only_limits_of_time_come_though_nothing_happens():
    clock = FakeClock()
    others: list[Limit] = [MessageLimit(1), FailureLimit(1), MemoryLimit(1.0, lambda: 2.0, clock)]
    assert [limit.comes_at(idle_since(0.0)) for limit in others] == [None, None, None]
    assert TimeLimit(90.0, clock).comes_at(tally()) == 90.0


def facts(**known: Any) -> LimitFacts:
    clock = FakeClock()
    return LimitFacts(**{"clock": clock, "deadline": 90.0, "memory_mb": lambda: 40.0, "is_wanted": None, **known})


def test_every_limit_that_is_set_is_made():
    values = {**DEFAULTS, "limit": 1, "failure_limit": 1}
    made = limits_of(values, facts(is_wanted=lambda: True))
    assert [type(one) for one in made] == [TimeLimit, MessageLimit, FailureLimit, MemoryLimit, IdleLimit]


def test_limits_that_are_off_are_not_asked_and_memory_is_looked_at_all_the_same():
    looks: list[int] = []
    values = {**DEFAULTS, "memory_limit_mb": None}

    def look() -> float:
        looks.append(1)
        return 1e6

    made = limits_of(values, facts(memory_mb=look))
    assert [type(one) for one in made] == [TimeLimit, MemoryLimit]
    assert (made[1].reason(tally()), looks) == (None, [1])


def test_a_limit_that_can_be_set_and_does_nothing_is_refused():
    with pytest.raises(
        TypeError, match=r"calm_s of cronq/config/limit_keys.py does nothing: .*configured_by\(\"calm_s\"\)"
    ):
        refuse_mismatch(["limit", "calm_s"], ["limit"])


def test_a_limit_that_cannot_be_set_is_refused():
    with pytest.raises(TypeError, match=r"calm_s of cronq/consumer/limits.py cannot be set: .*LimitKey\(\"calm_s\""):
        refuse_mismatch(["limit"], ["limit", "calm_s"])

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq.messages.rate import Meter, Rate, parse, read

NOW = 1_000_000_000.0


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/m", (10, 60)), ("1/s", (1, 1)), ("500/d", (500, 86400)), (" 100 / 15m ", (100, 900)), ("3/h", (3, 3600))],
)
def test_a_rate_is_a_number_and_a_time(text, rate):
    assert parse(text) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "10/x", "m/10", "-1/m", "1.5/m", "10/0m", "0/m", "1/400d", 10, None, "10/m!"]
)
def test_what_is_no_rate_is_refused_with_what_would_be_right(text):
    with pytest.raises(ValueError, match=r"write a number|pause|from one second"):
        parse(text)


def test_a_rate_can_be_read_back():
    assert parse(str(parse("100/15m"))) == Rate(100, 900)


@given(
    st.integers(1, 20),
    st.sampled_from([1, 7, 60, 3600, 86400]),
    st.lists(st.floats(0, 1), min_size=1, max_size=200),
)
def test_never_more_than_the_amount_are_in_any_window(amount, window_s, gaps):
    meter, now, times = Meter(Rate(amount, window_s)), NOW, []
    for gap in gaps:
        now += gap * window_s / amount
        many = meter.room(now)
        if many:
            meter = meter.spend(now, many)
            times += [now] * many
    assert all(sum(one <= at < one + window_s for at in times) <= amount for one in times)
    assert len(meter.spent) <= 60


@given(st.integers(1, 5), st.sampled_from([1, 60, 86400]), st.floats(1, 2e9))
def test_there_is_room_at_the_time_that_is_announced_and_not_before(amount, window_s, now):
    meter = Meter(Rate(amount, window_s)).spend(now, amount)
    at = meter.next_at(now)
    assert meter.room(at) > 0
    assert not meter.room(now + (at - now) * 0.999)
    assert at - now <= window_s * 61 / 59 + 1e-3


def test_a_meter_survives_being_stored():
    meter = Meter(parse("10/m")).spend(NOW, 3).spend(NOW + 20)
    assert read(str(meter.rate), meter.written()) == meter


def test_what_was_spent_by_a_clock_that_ran_ahead_counts_as_spent_now():
    meter = Meter(parse("2/m")).spend(NOW + 3600, 2)
    assert meter.is_ahead(NOW)
    stored = meter.at(NOW)
    assert (stored.room(NOW), stored.is_ahead(NOW)) == (0, False)
    assert stored.room(NOW + 62) == 2


@given(st.sampled_from(["5/s", "5/m", "5/h", "5/d"]), st.sampled_from(["9/s", "9/m", "9/h", "9/d"]))
def test_under_another_rate_nothing_spent_is_forgotten_too_early(before, after):
    meter = Meter(parse(before)).spend(NOW, 5).under(parse(after))
    assert meter.room(NOW + meter.rate.window_s * 0.99) == 4

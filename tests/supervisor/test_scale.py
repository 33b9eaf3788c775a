from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq.supervisor.scale import Demand, desired, missing


@pytest.mark.parametrize(
    ("depth", "desired_size", "least", "most", "wanted"),
    [
        (0, 5, 0, 10, 0),
        (1, 5, 0, 10, 1),
        (5, 5, 0, 10, 1),
        (6, 5, 0, 10, 2),
        (49, 5, 0, 10, 10),
        (5000, 5, 0, 10, 10),
        (0, 5, 2, 10, 2),
        (6, 5, 2, 10, 2),
        (11, 5, 2, 10, 3),
        (100, 1, 1, 1, 1),
        (100, 1, 0, 0, 0),
    ],
)
def test_desired_is_one_per_desired_size_within_bounds(depth, desired_size, least, most, wanted):
    assert desired(depth, desired_size, least, most) == wanted


def demand(group: str, depth: int = 0, live: int = 0, size: int = 1, least: int = 0, most: int = 10) -> Demand:
    return Demand(group, depth, live, size, least, most)


def test_the_first_groups_get_the_few_processes():
    assert missing([demand("high", 3), demand("low", 3)], 4) == {"high": 3, "low": 1}


def test_every_minimum_comes_before_any_wish():
    assert missing([demand("high", 100), demand("low", 0, least=1)], 2) == {"high": 1, "low": 1}


def test_minimums_are_dealt_in_order_when_there_is_no_room_for_all():
    assert missing([demand("a", least=2), demand("b", least=2)], 3) == {"a": 2, "b": 1}


def test_living_consumers_count_against_the_account():
    assert missing([demand("high", 10, live=1), demand("low", 5, live=3)], 4) == {"high": 0, "low": 0}


def test_living_consumers_are_not_started_again():
    assert missing([demand("high", 3, live=2)], 10) == {"high": 1}


def test_more_than_wanted_are_left_alone():
    assert missing([demand("high", 0, live=3)], 10) == {"high": 0}


def test_an_account_that_is_over_its_limit_starts_nothing():
    assert missing([demand("high", 9, live=5)], 4) == {"high": 0}


def test_who_stands_in_counts_as_one_of_the_group_but_not_of_its_minimum():
    idle = demand("high", 3)._replace(standing_in=1)
    assert [one.wanted for one in (idle, idle._replace(min=2), idle._replace(depth=1))] == [2, 2, 0]


def test_a_group_that_is_tied_up_wants_one_more_within_its_maximum():
    tied_up = demand("high", 1, live=1, size=5)._replace(is_tied_up=True)
    assert [one.wanted for one in (tied_up, tied_up._replace(max=1), tied_up._replace(depth=0))] == [2, 1, 0]
    assert (tied_up._replace(standing_in=1).wanted, tied_up.deserved) == (0, 1)


def test_who_is_started_stands_in_for_the_groups_after_it():
    standby = demand("standby", 1, least=0, most=1)._replace(queues=("high", "low"))
    high = demand("high", 1, size=5)._replace(queues=("high",))
    assert missing([standby, high], 4) == {"standby": 1, "high": 0}
    assert missing([standby, high._replace(depth=12)], 4) == {"standby": 1, "high": 2}
    assert missing([standby, high._replace(queues=("high", "other"))], 4) == {"standby": 1, "high": 1}


demands = st.lists(
    st.builds(
        lambda group, depth, live, size, bounds: Demand(f"g{group}", depth, live, size, min(bounds), max(bounds)),
        group=st.integers(0, 10**9),
        depth=st.integers(0, 1000),
        live=st.integers(0, 8),
        size=st.integers(1, 50),
        bounds=st.tuples(st.integers(0, 8), st.integers(0, 8)),
    ),
    max_size=6,
    unique_by=lambda one: one.group,
)


@given(demands=demands, max_processes=st.integers(-2, 20))
def test_no_deal_exceeds_the_account_or_a_group(demands, max_processes):
    starts = missing(demands, max_processes)
    live = sum(one.live for one in demands)
    assert sum(starts.values()) <= max(0, max_processes - live)
    assert all(0 <= starts[one.group] <= max(0, one.max - one.live) for one in demands)


@given(demands=demands, max_processes=st.integers(0, 20))
def test_nothing_is_left_undealt_while_somebody_wants_it(demands, max_processes):
    starts = missing(demands, max_processes)
    free = max_processes - sum(one.live for one in demands) - sum(starts.values())
    unmet = [one.group for one in demands if one.live + starts[one.group] < one.wanted]
    assert not unmet or free <= 0

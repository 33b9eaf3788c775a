from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq.errors import GiveUp, RetryLater, TaskTimeout
from cronq.tasks.retry import Again, Enough, Retry

BOOM = ValueError("boom")


@pytest.mark.parametrize(
    ("policy", "waits"),
    [
        (Retry(5, delay_s=10, jitter=0), [10, 20, 40, 80]),
        (Retry(4, delay_s=10, multiplier=1, jitter=0), [10, 10, 10]),
        (Retry(4, delay_s=1, multiplier=10, max_delay_s=50, jitter=0), [1, 10, 50]),
        (Retry(3, delay_s=0, jitter=0), [0, 0]),
        (Retry(1), []),
    ],
)
def test_the_waits_grow_as_the_policy_says(policy, waits):
    decided = [policy.decide(attempt, BOOM, spread=0.5) for attempt in range(1, policy.max_attempts + 1)]
    assert decided == [*map(Again, waits), Enough()]


def wait_of(decided: Again | Enough) -> float:
    assert isinstance(decided, Again)
    return decided.delay_s


@pytest.mark.parametrize(("spread", "wait"), [(0.0, 80.0), (0.5, 100.0), (1.0, 120.0)])
def test_jitter_spreads_the_wait_both_ways(spread, wait):
    assert wait_of(Retry(delay_s=100, jitter=0.2).decide(1, BOOM, spread)) == pytest.approx(wait)


def test_jitter_is_drawn_anew_each_time():
    policy = Retry(0, delay_s=100, jitter=0.5)
    assert len({wait_of(policy.decide(1, BOOM)) for _ in range(50)}) > 1


def test_no_limit_means_no_end():
    assert isinstance(Retry(max_attempts=0).decide(10_000_000, BOOM), Again)


def test_give_up_ends_at_the_first_attempt():
    assert Retry(max_attempts=0).decide(1, GiveUp("no such address")) == Enough()


def test_retry_later_waits_as_long_as_it_asks_for():
    assert Retry(jitter=1, max_delay_s=5).decide(1, RetryLater(900)) == Again(900)


def test_retry_later_without_a_delay_waits_as_the_policy_says():
    assert Retry(delay_s=7, jitter=0).decide(1, RetryLater()) == Again(7)


@pytest.mark.parametrize("error", [RetryLater(900), RetryLater()])
def test_retry_later_does_not_lift_the_limit(error):
    assert Retry(max_attempts=2).decide(2, error) == Enough()


def test_a_timeout_is_retried_as_any_failure():
    assert Retry(delay_s=3, jitter=0).decide(1, TaskTimeout("too long")) == Again(3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_attempts": -1},
        {"max_attempts": 2.5},
        {"max_attempts": True},
        {"delay_s": -1},
        {"delay_s": math.nan},
        {"delay_s": "5"},
        {"multiplier": 0.5},
        {"multiplier": math.inf},
        {"max_delay_s": 366 * 86400},
        {"jitter": 1.1},
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"Retry: {next(iter(wrong))} = "):
        Retry(**wrong)


@given(
    delay_s=st.floats(0, 365 * 86400),
    multiplier=st.floats(1, 100),
    max_delay_s=st.floats(0, 365 * 86400),
    jitter=st.floats(0, 1),
    attempt=st.integers(1, 2**40),
    spread=st.floats(0, 1),
)
def test_a_wait_is_never_negative_nor_beyond_its_bound(delay_s, multiplier, max_delay_s, jitter, attempt, spread):
    decided = Retry(0, delay_s, multiplier, max_delay_s, jitter).decide(attempt, BOOM, spread)
    assert 0 <= wait_of(decided) <= max_delay_s * (1 + jitter) * 1.000001


class NoSuchUser(LookupError):
    """An error of a project."""


HERE = __name__


@pytest.mark.parametrize(
    ("policy", "error", "goes_on"),
    [
        (Retry(give_up_on=(ValueError,)), BOOM, False),
        (Retry(give_up_on=[ValueError]), BOOM, False),
        (Retry(give_up_on=(ValueError,)), UnicodeError("a subclass"), False),
        (Retry(give_up_on=(ValueError,)), KeyError("another"), True),
        (Retry(give_up_on=("ValueError",)), BOOM, False),
        (Retry(give_up_on=("builtins.ValueError",)), BOOM, False),
        (Retry(give_up_on=("other.ValueError",)), BOOM, True),
        (Retry(give_up_on=(f"{HERE}.NoSuchUser",)), NoSuchUser(), False),
        (Retry(give_up_on=("LookupError",)), NoSuchUser(), False),
        (Retry(give_up_on=("TaskTimeout",)), TaskTimeout("late"), False),
        (Retry(retry_on=(ConnectionError,)), ConnectionResetError(), True),
        (Retry(retry_on=(ConnectionError,)), BOOM, False),
        (Retry(retry_on=("OSError",)), ConnectionResetError(), True),
        (Retry(retry_on=("OSError",)), TaskTimeout("late"), False),
        (Retry(retry_on=(OSError,), give_up_on=(FileNotFoundError,)), FileNotFoundError(), False),
        (Retry(retry_on=(OSError,), give_up_on=(FileNotFoundError,)), PermissionError(), True),
        (Retry(retry_on=(OSError,), give_up_on=(FileNotFoundError,)), BOOM, False),
        (Retry(retry_on=(FileNotFoundError,), give_up_on=(OSError,)), FileNotFoundError(), False),
        (Retry(retry_on=(ConnectionError,)), RetryLater(5), True),
        (Retry(retry_on=(ConnectionError,)), RetryLater(), True),
        (Retry(give_up_on=(Exception,)), RetryLater(), True),
        (Retry(retry_on=(Exception,)), GiveUp("no"), False),
        (Retry(max_attempts=1, retry_on=(ValueError,)), BOOM, False),
    ],
)
def test_the_class_of_an_exception_decides_after_what_the_task_asked_for(policy, error, goes_on):
    assert isinstance(policy.decide(1, error), Again) is goes_on


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (ValueError, "must be a tuple of exception classes"),
        ("ValueError", "must be a tuple of exception classes"),
        ((int,), "<class 'int'>: must be an exception class"),
        ((BOOM,), "must be an exception class, or the name of one"),
        (("no such-name",), "'no such-name': must be an exception class, or the name of one"),
        (("shop..Gone",), "must be an exception class, or the name of one"),
        ((GiveUp,), "GiveUp, which says itself what follows"),
        ((RetryLater,), "RetryLater, which says itself what follows"),
    ],
)
@pytest.mark.parametrize("name", ["retry_on", "give_up_on"])
def test_what_is_no_exception_class_is_refused(name, given, complaint):
    with pytest.raises(ValueError, match=rf"^Retry: {name} ") as refused:
        Retry(**{name: given})
    assert complaint in str(refused.value)

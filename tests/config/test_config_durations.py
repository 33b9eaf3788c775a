from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq.config.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        (0, 0),
        (1.5, 1.5),
        ("90", 90),
        ("90s", 90),
        ("1.5s", 1.5),
        ("10m", 600),
        ("10 M", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1d 2h", 93600),
        ("PT10M", 600),
        ("pt0,5s", 0.5),
        ("P1DT2H", 93600),
        ("P1W", 604800),
        ("P2D", 172800),
    ],
)
def test_a_duration_is_read_as_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        *(-1, "-1s", -0.1, float("nan"), float("inf"), True, False, None, [], {}, b"1s", 10**400),
        *("", " ", "s", "m", "1h30", "30m1h", "1m1m", "1 0m", "10 minutes", "500ms", "1_0s", "1e3", "1.2.3s"),
        *("P", "PT", "P1DT", "P1M", "P1Y", "PT1D", "P1H", "nan", "inf", "٣s", "9" * 400 + "d", "+1s"),
    ],
)
def test_what_is_no_duration_is_refused_with_help(wrong: object) -> None:
    with pytest.raises(ValueError, match="is not a duration: write seconds"):
        parse_duration(wrong)


@given(st.integers(min_value=0, max_value=10**12).map(lambda millis: millis / 1000))
def test_a_written_duration_reads_back_as_itself(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@given(st.integers(0, 999), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_the_short_and_the_iso_form_mean_the_same(days: int, hours: int, minutes: int, seconds: int) -> None:
    short = f"{days}d{hours}h{minutes}m{seconds}s"
    assert parse_duration(short) == parse_duration(f"P{days}DT{hours}H{minutes}M{seconds}S")


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.binary()))
def test_anything_else_is_a_value_error(anything: object) -> None:
    with contextlib.suppress(ValueError):
        assert 0 <= parse_duration(anything) < float("inf")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (90, "1m30s"), (600, "10m"), (2592000, "30d"), (0.25, "0.25s")]
)
def test_a_duration_is_written_short(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text

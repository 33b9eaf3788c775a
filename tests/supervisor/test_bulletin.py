from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq.supervisor.bulletin import REWORDED_S, Standing, Trouble, as_text, bulletin, from_text

if TYPE_CHECKING:
    from collections.abc import Sequence

BROKEN = Trouble("broken", "group all is broken: ImportError: x", "; next start in 30s")
DEAF = Trouble("young mail", "group mail backs off")


def told(*runs: tuple[float, Sequence[Trouble]]) -> list[tuple[str, ...]]:
    """Return what each of some runs at these times says of the troubles it finds."""
    standing, said = from_text("\n"), []
    for now, found in runs:
        new = bulletin(standing, found, now)
        said.append(new.lines)
        standing = from_text(as_text(new.standing))
    return said


def test_a_trouble_is_told_when_it_comes_and_when_it_goes_and_not_between() -> None:
    assert told((0, []), (60, [BROKEN]), (120, [BROKEN]), (7260, []), (7320, [])) == [
        (),
        ("group all is broken: ImportError: x; next start in 30s",),
        (),
        ("well again after 2h: group all is broken: ImportError: x",),
        (),
    ]


def test_what_changes_by_the_minute_is_no_news() -> None:
    assert told((0, [BROKEN]), (60, [BROKEN._replace(more="; next start in 5m")]))[1] == ()


def test_one_that_goes_says_nothing_of_one_that_stays() -> None:
    assert told((0, [BROKEN, DEAF]), (60, [DEAF]), (120, [DEAF]))[1:] == [
        ("well again after 1m: group all is broken: ImportError: x",),
        (),
    ]


def test_one_that_comes_back_is_told_again() -> None:
    assert told((0, [DEAF]), (60, []), (120, [DEAF]))[2] == ("group mail backs off",)


@pytest.mark.parametrize(("after_s", "times"), [(REWORDED_S - 1, 0), (REWORDED_S, 1)])
def test_one_that_reads_otherwise_is_told_again_after_a_while(after_s: float, times: int) -> None:
    other = BROKEN._replace(what="group all is broken: SyntaxError: y")
    assert len(told((0, [BROKEN]), (after_s, [other]))[1]) == times


def test_one_that_reads_otherwise_every_minute_is_told_six_times_an_hour() -> None:
    runs = [(60.0 * minute, [BROKEN._replace(what=f"broken: {minute}")]) for minute in range(60)]
    assert sum(map(len, told(*runs))) == 6


def test_since_when_is_kept_through_other_words() -> None:
    other = BROKEN._replace(what="group all is broken: y")
    assert told((0, [BROKEN]), (REWORDED_S, [other]), (3600, []))[2] == ("well again after 1h: group all is broken: y",)


def test_a_clock_that_was_set_back_tells_again_and_counts_no_time_below_zero() -> None:
    other = BROKEN._replace(what="y")
    assert told((5000, [BROKEN]), (1000, [other]), (900, []))[1:] == [
        ("y; next start in 30s",),
        ("well again after 0s: y",),
    ]


@pytest.mark.parametrize("text", ["", "\n", "12 1", "a b c\td", "1796096250 1796096250\tno key"])
def test_a_line_that_was_cut_off_is_nobody_s_trouble(text: str) -> None:
    assert from_text(text) == {}


@given(st.dictionaries(st.text(), st.tuples(st.text(), st.integers(0, 2**32), st.integers(0, 2**32))))
def test_whatever_stands_in_a_trouble_comes_back_on_one_line(given: dict[str, tuple[str, int, int]]) -> None:
    found = [Trouble(key, what) for key, (what, _, _) in given.items()]
    standing = bulletin({}, found, 1000.0).standing
    back = from_text(as_text(standing))
    assert len(as_text(standing).splitlines()) <= max(1, len(standing))
    assert set(back.values()) <= {Standing(1000, 1000, one.what) for one in standing.values()}

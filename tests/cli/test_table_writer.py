"""The writer of tables, and lists as a terminal shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronq.cli.table_writer import Fit, lay_out
from cronq.cli.terminal import cells, cut_left, cut_right

FITS = (Fit.WHOLE, Fit.NAME, Fit.NUMBER, Fit.TEXT)
HEAD = ("id", "task", "age", "error")
ROW = ("0195b4c8", "shop.catalogue.imports.suppliers.refresh_prices", "12s", "ConnectionError: refused by " + "x" * 60)


def test_nothing_is_cut_where_nothing_bounds_the_line():
    assert all(cell in lay_out([HEAD, ROW], FITS)[1] for cell in ROW)


def test_a_long_name_keeps_its_end_and_a_long_text_its_beginning():
    line = lay_out([HEAD, ROW], FITS, 80)[1]
    assert line.startswith("0195b4c8  …")
    assert "suppliers.refresh_prices" in line
    assert "ConnectionError: refused by x" in line
    assert line.endswith("…")
    assert cells(line) == 80


def test_ids_and_numbers_are_whole_until_the_terminal_is_narrower_than_they_are():
    line = lay_out([HEAD, ROW], FITS, 40)[1]
    assert "0195b4c8" in line
    assert "12s" in line


def test_numbers_stand_on_the_right_of_their_column():
    assert lay_out([("n", "x"), ("7", "x"), ("120", "x")], (Fit.NUMBER, Fit.WHOLE)) == ["  n  x", "  7  x", "120  x"]


def test_columns_behind_wide_characters_and_emoji_stay_aligned():
    lines = lay_out([("name", "n"), ("注文", "1"), ("🛒", "2"), ("é", "3")], (Fit.NAME, Fit.WHOLE))
    assert [cells(line[:-1]) for line in lines] == [6, 6, 6, 6]


def test_control_characters_of_others_are_spelled_out_and_counted():
    assert lay_out([("a\x1b[31m\nb", "n")], (Fit.NAME, Fit.WHOLE)) == ["a\\x1b[31m\\nb  n"]


@pytest.mark.parametrize(("cut", "shown"), [(cut_left, "…スト"), (cut_right, "注文…")])
def test_a_wide_character_is_left_out_whole(cut, shown):
    assert cut("注文リスト", 6) == shown
    assert cells(shown) <= 6


cell_texts = st.text(st.characters(codec="utf-8"), max_size=60)


@given(
    rows=st.lists(st.tuples(cell_texts, cell_texts, cell_texts, cell_texts), min_size=1, max_size=5),
    kinds=st.tuples(*[st.sampled_from(Fit)] * 4),
    width=st.integers(10, 200),
)
def test_no_line_is_wider_than_the_terminal_whatever_the_cells_hold(rows, kinds, width):
    lines = lay_out(rows, kinds, width)
    assert len(lines) == len(rows)
    assert all(cells(line) <= width and line.isprintable() for line in lines)

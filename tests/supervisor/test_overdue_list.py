from __future__ import annotations

import pytest

from cronq.host.state_dir import StateDir, replace_text
from cronq.supervisor import overdue_list
from tests.making import ME


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


def test_nobody_is_overdue_at_first(state):
    overdue_list.write(state, {})
    assert overdue_list.read(state) == {}


def test_who_was_told_to_end_is_remembered_and_since_when(state):
    overdue_list.write(state, {str(ME): 12.5})
    assert overdue_list.read(state) == {str(ME): 12.5}


@pytest.mark.parametrize("text", ["", "\n", f"{ME}", f"{ME} ", f"high.0 {ME}\n", "\x00\n"])
def test_what_is_cut_off_or_of_an_older_release_tells_of_nobody(state, text):
    replace_text(f"{state.run}/overdue", text)
    assert overdue_list.read(state) == {}


def test_a_tick_that_tells_nobody_forgets(state):
    overdue_list.write(state, {str(ME): 12.5})
    overdue_list.write(state, {})
    assert overdue_list.read(state) == {}

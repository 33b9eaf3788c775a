from __future__ import annotations

import pytest

from cronq.host.state_dir import StateDir
from cronq.supervisor import seats
from tests.processes import says

TAKE = """
from cronq.host.state_dir import StateDir
from cronq.supervisor import seats
say(seats.take(StateDir(sys.argv[1]), 2) is not None)
sys.stdin.readline()
"""


@pytest.fixture
def state(home):
    state = StateDir(str(home / ".cronq"))
    state.prepare()
    return state


def test_no_more_seats_are_given_than_the_account_has(state, python):
    started = [python(TAKE, state.path) for _ in range(3)]
    assert sorted(says(process) for process in started) == ["False", "True", "True"]


def test_a_seat_is_free_when_its_holder_was_killed(state, python):
    holder = python(TAKE, state.path)
    says(holder)
    holder.kill()
    holder.wait()
    assert not seats.are_all_taken(state, 1)


def test_seats_are_all_taken_when_every_one_is_held(state, python):
    says(python(TAKE, state.path))
    assert seats.are_all_taken(state, 1)
    assert not seats.are_all_taken(state, 2)

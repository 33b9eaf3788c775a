from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cronq.host.state_dir import StateDir
from cronq.supervisor import slots, starts
from cronq.supervisor.starts import COMES_WITHIN_S, Starts, after_start, unseen

if TYPE_CHECKING:
    from pathlib import Path

    from cronq.supervisor.slots import Seen


@pytest.fixture
def state(home: Path) -> StateDir:
    state = StateDir(str(home / ".cronq"))
    state.prepare()
    return state


def seen(state: StateDir, is_live: bool = False) -> list[Seen]:
    """Return the slot of a consumer that has begun, and gone unless it is live."""
    slot = slots.take(state, "all", 1)
    assert slot is not None
    slot.begin(["high"], 0.0)
    slot.leave("")
    (found,) = slots.survey(state)
    return [found._replace(pid=os.getpid() if is_live else None)]


def test_starts_that_bring_nobody_are_counted_from_the_moment_when_they_should_have() -> None:
    known = Starts()
    for number in range(4):
        at = 1000.0 + 60 * number
        known = after_start(known, [], at)
        assert [unseen(known, [], at + wait) for wait in (1.0, COMES_WITHIN_S + 1)] == [number, number + 1]


def test_one_who_came_ends_the_row(state: StateDir) -> None:
    came = seen(state)
    note = came[0].note
    assert note is not None
    assert unseen(Starts(note.begun - 1, 7), came, note.begun + 60) == 0
    assert after_start(Starts(note.begun - 1, 7), came, note.begun + 60).unseen == 0


def test_one_who_came_before_proves_nothing_of_the_next(state: StateDir) -> None:
    came = seen(state)
    note = came[0].note
    assert note is not None
    assert unseen(Starts(note.begun + 1, 2), came, note.begun + 60) == 3


def test_one_who_is_there_proves_it_though_it_has_written_nothing(state: StateDir) -> None:
    live = [one._replace(note=None) for one in seen(state, is_live=True)]
    assert unseen(Starts(1.0, 7), live, 60.0) == 0


def test_what_a_note_of_an_earlier_boot_says_is_of_another_clock(state: StateDir) -> None:
    (came,) = seen(state)
    assert came.note is not None
    old = came._replace(note=came.note._replace(holder=came.note.holder._replace(boot="otherone"), begun=1e9))
    assert unseen(Starts(1.0, 0), [old], 60.0) == 1


def test_refusals_are_counted_until_there_is_room(state: StateDir) -> None:
    assert [starts.note(state, 5.0, (), {"all"}) for _ in range(3)] == [False, False, True]
    assert starts.read(state) == {"all": Starts(0.0, 0, 3)}
    assert not starts.note(state, 65.0, {"all"}, ())
    assert starts.read(state) == {"all": Starts(65.0, 0, 0)}


@pytest.mark.parametrize("text", ["", "\n", "otherone\nall 5.0 3 3\n", "garbage"])
def test_what_another_boot_left_or_nobody_wrote_is_nothing(state: StateDir, text: str) -> None:
    with open(state.starts, "w", encoding="utf-8") as file:
        file.write(text)
    assert starts.read(state) == {}

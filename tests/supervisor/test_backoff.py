from __future__ import annotations

import pytest

from cronq.supervisor import backoff
from cronq.supervisor.backoff import LONGEST_S, Backoff, judge
from cronq.supervisor.slots import BROKEN, CONSUMING, LEFT, STARTING, Seen
from tests.supervisor.sights import NOW, dead, live


@pytest.mark.parametrize(
    ("slot", "deaths"),
    [
        (dead(state=STARTING, since=0.0), 1),
        (dead(state=BROKEN, since=0.0), 1),
        (dead(state=CONSUMING, begun_at=NOW - 60, since=NOW - 55), 1),
        (dead(state=CONSUMING, begun_at=NOW - 60, since=NOW - 30), 0),
        (dead(state=CONSUMING, begun_at=NOW - 3600, since=0.0, position=5), 0),
        (dead(state=CONSUMING, begun_at=NOW - 3600, since=0.0, position=0), 1),
        (dead(state=LEFT), 0),
        (live(state=STARTING), 0),
        (live(state=CONSUMING), 0),
        (Seen("high.0", None, None), 0),
        (Seen("high.0", 55, None), 0),
    ],
)
def test_a_death_is_young_when_nothing_or_little_was_consumed(slot, deaths):
    assert judge(Backoff(), [slot], 60, NOW).deaths == deaths


def died(begun_at: float) -> Seen:
    return dead(state=STARTING, begun_at=begun_at, since=0.0)


def test_the_delay_doubles_with_every_death_up_to_an_hour():
    found, delays = Backoff(), []
    for number in range(9):
        found = judge(found, [died(NOW + number)], 60, NOW)
        delays.append(found.until - NOW)
    assert delays == [30, 90, 210, 450, 930, 1890, LONGEST_S, LONGEST_S, LONGEST_S]


def test_the_same_death_counts_once():
    first = judge(Backoff(), [died(NOW - 5)], 60, NOW)
    assert judge(first, [died(NOW - 5)], 60, NOW + 60) == first


def test_several_deaths_at_one_look_count_once():
    assert judge(Backoff(), [died(NOW - 5), died(NOW - 4)], 60, NOW) == Backoff(1, NOW + 30, NOW - 4)


@pytest.mark.parametrize("sound", [live(begun_at=NOW - 1), dead(state=LEFT, begun_at=NOW - 1)])
def test_a_sound_life_ends_it(sound):
    before = Backoff(3, NOW - 1, NOW - 100)
    assert judge(before, [sound], 60, NOW) == Backoff(0, 0.0, NOW - 100)


def test_a_life_that_began_before_the_last_death_proves_nothing():
    before = Backoff(3, NOW + 60, NOW - 100)
    assert judge(before, [live(begun_at=NOW - 200)], 60, NOW) == before


def test_it_holds_until_its_time():
    assert [Backoff(1, NOW, 0).holds(moment) for moment in (NOW - 1, NOW, NOW + 1)] == [True, False, False]


def test_a_clock_that_was_set_back_does_not_stretch_it():
    assert not Backoff(1, NOW, 0).holds(NOW - 2 * LONGEST_S)


def test_it_is_remembered(tmp_path):
    path = str(tmp_path / "high.backoff")
    backoff.write(path, Backoff(3, 12.5, 11.25))
    assert backoff.read(path) == Backoff(3, 12.5, 11.25)


@pytest.mark.parametrize("content", [b"", b"3 12.5", b"x y z", b"\xff\xff", b"1 2 3 4"])
def test_a_damaged_memory_is_none(tmp_path, content):
    (tmp_path / "high.backoff").write_bytes(content)
    assert backoff.read(str(tmp_path / "high.backoff")) == Backoff()

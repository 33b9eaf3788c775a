from __future__ import annotations

import time

import pytest

from cronq.host.process import boot_id
from cronq.host.state_dir import StateDir
from cronq.supervisor import backoff, slots
from cronq.supervisor.backoff import LONGEST_S, Backoff, judge
from cronq.supervisor.plan import decide
from cronq.supervisor.slots import BROKEN, CONSUMING, LEFT, STARTING, Seen
from tests.presence import there
from tests.supervisor.sights import BOOT, MONOTONIC, NEVER, dead, live, project, sight

EARLIER, LATER = 100, 900  # starts of processes, in clock ticks since boot; others have 500


@pytest.mark.parametrize(
    ("slot", "deaths"),
    [
        (dead(state=STARTING, since=0.0), 1),
        (dead(state=BROKEN, since=0.0), 1),
        (dead(state=CONSUMING, begun=MONOTONIC - 60, since=MONOTONIC - 55), 1),
        (dead(state=CONSUMING, begun=MONOTONIC - 60, since=MONOTONIC - 30), 0),
        (dead(state=CONSUMING, begun=MONOTONIC - 3600, since=0.0, position=5), 0),
        (dead(state=CONSUMING, begun=MONOTONIC - 3600, since=0.0, position=0), 1),
        (dead(state=LEFT), 0),
        (live(state=STARTING), 0),
        (live(state=CONSUMING), 0),
        (Seen("high.0", None, None), 0),
        (Seen("high.0", 55, None), 0),
    ],
)
def test_a_death_is_young_when_nothing_or_little_was_consumed(slot, deaths):
    assert judge(NEVER, [slot], 60, MONOTONIC).deaths == deaths


def killed_at_rest(started: int) -> Seen:
    return dead(state=CONSUMING, begun=MONOTONIC - 5, since=0.0, position=0, started=started)


def test_the_first_that_is_killed_while_it_waits_for_messages_is_followed_at_once():
    found = judge(NEVER, [killed_at_rest(EARLIER)], 60, MONOTONIC)
    assert (found.deaths, found.holds(MONOTONIC)) == (1, False)
    again = judge(found, [killed_at_rest(LATER)], 60, MONOTONIC)
    assert (again.deaths, again.until) == (2, MONOTONIC + 90)


def test_it_is_not_forgiven_beside_one_that_could_not_start():
    found = judge(NEVER, [killed_at_rest(EARLIER), died(LATER)], 60, MONOTONIC)
    assert (found.deaths, found.until) == (1, MONOTONIC + 30)


def died(started: int) -> Seen:
    return dead(state=STARTING, started=started, since=0.0)


def test_the_delay_doubles_with_every_death_up_to_an_hour():
    found, delays = NEVER, []
    for number in range(9):
        found = judge(found, [died(EARLIER + number)], 60, MONOTONIC)
        delays.append(found.until - MONOTONIC)
    assert delays == [30, 90, 210, 450, 930, 1890, LONGEST_S, LONGEST_S, LONGEST_S]


def test_the_same_death_counts_once():
    first = judge(NEVER, [died(EARLIER)], 60, MONOTONIC)
    assert judge(first, [died(EARLIER)], 60, MONOTONIC + 60) == first


def test_several_deaths_at_one_look_count_once():
    found = judge(NEVER, [died(EARLIER), died(LATER)], 60, MONOTONIC)
    assert found == Backoff(1, MONOTONIC + 30, LATER, BOOT)


@pytest.mark.parametrize("sound", [live(started=LATER), dead(state=LEFT, started=LATER)])
def test_a_sound_life_ends_it(sound):
    before = Backoff(3, MONOTONIC - 1, EARLIER, BOOT)
    assert judge(before, [sound], 60, MONOTONIC) == Backoff(0, 0.0, EARLIER, BOOT)


def test_a_life_that_began_before_the_last_death_proves_nothing():
    before = Backoff(3, MONOTONIC + 60, LATER, BOOT)
    assert judge(before, [live(started=EARLIER)], 60, MONOTONIC) == before


def test_whom_the_last_boot_ended_did_not_die_young():
    before = Backoff(boot="boot0002")
    assert judge(before, [died(LATER), dead(state=LEFT)], 60, MONOTONIC) == before


def test_it_holds_until_its_time():
    moments = (MONOTONIC - 1, MONOTONIC, MONOTONIC + 1)
    assert [Backoff(1, MONOTONIC).holds(moment) for moment in moments] == [True, False, False]


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


def set_clock(monkeypatch, by_s: float) -> None:
    """Set the wall clock alone, as settimeofday(2) does: freezegun would move the time since boot as well."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + by_s)


@pytest.mark.parametrize("step", [-86400, -1800, 0, 1800, 86400])
def test_a_clock_that_is_set_neither_forgives_nor_punishes(state, monkeypatch, step):
    path = state.backoff("high")
    backoff.write(path, Backoff(1, 0.0, 1, boot_id()))
    slot = there(slots.take(state, "high", 1))
    set_clock(monkeypatch, step)
    slot.begin(["high"], 0.0)
    slot.release()  # as a death does: nothing is said
    monotonic = time.monotonic()
    found = judge(backoff.read(path), slots.survey(state), 60, monotonic)
    assert (found.deaths, found.until) == (2, monotonic + 90)
    backoff.write(path, found)
    held = sight(depth={"high": 9}, backoff={"high": backoff.read(path)})._replace(now=time.time())
    starts = [list(decide(project(), held._replace(monotonic=monotonic + later)).start) for later in (89, 91)]
    assert starts == [[], ["high", "high"]]


@pytest.mark.parametrize("step", [-3600, 3600])
def test_how_long_a_life_was_is_not_told_by_a_clock_that_is_set(state, monkeypatch, step):
    slot = there(slots.take(state, "high", 1))
    for doing in (STARTING, CONSUMING):
        slot.begin(["high"], 0.0, doing)
    set_clock(monkeypatch, step)
    slot.note(1)
    slot.release()
    assert judge(Backoff(boot=boot_id()), slots.survey(state), 60, 0.0).deaths == 1


def test_it_is_remembered(tmp_path):
    path = str(tmp_path / "high.backoff")
    known = Backoff(3, 12.5, 1125, boot_id())
    backoff.write(path, known)
    assert backoff.read(path) == known


def test_a_boot_ends_the_delay_and_not_the_count(tmp_path):
    path = str(tmp_path / "high.backoff")
    backoff.write(path, Backoff(3, 12.5, 1125, "boot0001"))
    assert backoff.read(path) == Backoff(3, boot=boot_id())


@pytest.mark.parametrize("content", [b"", b"3 12.5", b"x y z b", b"\xff\xff", b"1 2 3", b"1 2 3 b 5"])
def test_a_damaged_memory_is_none(tmp_path, content):
    (tmp_path / "high.backoff").write_bytes(content)
    assert backoff.read(str(tmp_path / "high.backoff")) == Backoff(boot=boot_id())

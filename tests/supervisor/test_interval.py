from __future__ import annotations

import pytest

from cronq.host.state_dir import StateDir
from cronq.supervisor import interval


def ticks_every(seconds: float, count: int = 6) -> list[float]:
    return [1_000_000 + seconds * number for number in range(count)]


@pytest.mark.parametrize("seconds", [60, 300, 900, 3600])
def test_the_interval_is_measured(seconds):
    assert interval.measured(ticks_every(seconds)) == seconds


def test_one_late_tick_does_not_change_it():
    assert interval.measured([0, 60, 120, 720, 780, 840]) == 60


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


def test_a_configured_interval_is_not_measured(state):
    for moment in ticks_every(60):
        interval.note(state.ticks, moment)
    assert [interval.current(state, known) for known in ("auto", 300.0)] == [60, 300]


def test_the_first_long_gap_counts():
    assert interval.measured([5.0, 3605.0]) == 3600


@pytest.mark.parametrize("times", [[], [5.0], [5.0, 25.0]])
def test_without_a_gap_it_is_not_known_and_a_minute_is_assumed(state, times):
    for moment in times:
        interval.note(state.ticks, moment)
    assert (interval.measured(times), interval.current(state)) == (None, 60)


def test_until_there_is_a_gap_it_is_what_was_planned(state):
    interval.plan(state.interval, 300, 1000)
    known = [interval.current(state)]
    for moment in (1060.0, 1075.0, 1975.0):  # the host rewrote it to a quarter of an hour
        interval.note(state.ticks, moment)
        known.append(interval.current(state))
    assert known == [300, 300, 300, 900]


def test_ticks_from_before_a_new_plan_say_nothing(state):
    for moment in ticks_every(60):
        interval.note(state.ticks, moment)
    interval.plan(state.interval, 300, 1_000_400)
    assert interval.current(state) == 300


def test_the_same_plan_again_forgets_nothing(state):
    interval.plan(state.interval, 60, 1_000_000)
    for moment in ticks_every(900):
        interval.note(state.ticks, moment)
    interval.plan(state.interval, 60, 1_010_000)
    assert interval.current(state) == 900


@pytest.mark.parametrize("content", [b"", b"300", b"300 1 2", b"x 5", b"\xff\xfe"])
def test_a_damaged_plan_is_none(tmp_path, content):
    (tmp_path / "interval").write_bytes(content)
    assert interval.planned(str(tmp_path / "interval")) is None


def test_ticks_by_hand_between_those_of_cron_do_not_shorten_it():
    assert interval.measured([0, 60, 61, 62, 120, 180, 240]) == 60


def test_ticks_are_remembered_but_not_for_ever(tmp_path):
    path = str(tmp_path / "ticks")
    for moment in range(100):
        interval.note(path, 60.0 * moment)
    assert interval.read(path) == [60.0 * moment for moment in range(88, 100)]


def test_times_that_lie_ahead_are_forgotten(tmp_path):
    path = str(tmp_path / "ticks")
    for moment in (100.0, 160.0, 5000.0, 5060.0):
        interval.note(path, moment)
    assert interval.note(path, 220.0) == [100.0, 160.0, 220.0]


def test_a_cut_off_line_is_left_out(tmp_path):
    path = tmp_path / "ticks"
    path.write_bytes(b"60.000\n\xff\xfe\n120.000\n18-")
    assert interval.read(str(path)) == [60.0, 120.0]


def test_a_missing_file_has_no_ticks(tmp_path):
    assert interval.read(str(tmp_path / "ticks")) == []


@pytest.mark.parametrize(
    ("every", "limit", "life"),
    [(60, "auto", 90), (300, "auto", 450), (3600, "auto", 3300), (60, 10.0, 10), (60, 7200.0, 7200)],
)
def test_a_consumer_lives_past_the_next_tick_and_no_longer_than_hosts_allow(every, limit, life):
    assert interval.life_s(every, limit) == life


def test_a_reservation_outlives_a_missed_tick():
    assert [interval.lapse_s(every) for every in (1, 60, 300, 3600)] == [300, 300, 750, 9000]

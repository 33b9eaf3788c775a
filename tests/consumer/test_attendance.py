from __future__ import annotations

import os

import pytest

from cronq import events
from cronq.consumer.attendance import Attendance, marks
from cronq.errors import ConfigError, TransportError
from tests.clocks import FakeClock


def test_marks_are_touched_once_a_second_at_most():
    clock, touched = FakeClock(), []
    attendance = Attendance(lambda: touched.append(clock.monotonic()), lambda: None, clock)
    for _ in range(300):
        attendance.looked(busy=False)
        clock.advance(0.01)
    assert len(touched) == 3


def test_help_is_called_only_by_who_is_busy_and_rarely():
    clock, calls = FakeClock(), []
    attendance = Attendance(lambda: None, lambda: calls.append(1), clock)
    attendance.looked(busy=False)
    assert calls == []
    for _ in range(100):
        attendance.looked(busy=True)
        clock.advance(0.1)
    assert len(calls) == 2


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), TransportError("locked", pressure=True), ConfigError("python: not there")],
)
def test_what_fails_around_the_work_does_not_reach_it(error, monkeypatch):
    heard = []
    monkeypatch.setattr(events, "listeners", [lambda name, facts: heard.append(name)])

    def fail():
        raise error

    Attendance(fail, fail, FakeClock()).looked(busy=True)
    assert heard == ["trouble", "trouble"]


def test_touching_sets_the_mark_to_the_time_of_the_look(tmp_path):
    clock = FakeClock()
    marks([str(tmp_path / "high"), str(tmp_path / "low")], clock)()
    assert {os.stat(tmp_path / name).st_mtime for name in ("high", "low")} == {clock.now()}

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from cronq import Context  # noqa: TC001 - tasks are told by it, at run time, what they take
from cronq.consumer import watch
from tests.consumer.isolation_helpers import Cell, crash, fail, streams
from tests.waiting import has_ended, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def hurried(monkeypatch) -> Cell:
    """A cell whose patience with a timeout is short, and long enough after SIGTERM for it to be what ends a child."""
    monkeypatch.setattr(watch, "TERM_AFTER_S", 0.1)
    monkeypatch.setattr(watch, "KILL_AFTER_S", 300)
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    return Cell()


@contextmanager
def blocked(*signals):
    """Block signals from the fork on: a child that did it itself might be too late."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_who_does_not_react_to_its_timeout_is_terminated(hurried):
    with blocked(signal.SIGALRM):
        cause = hurried.run(lambda: time.sleep(600), timeout_s=0.1).cause
    assert cause.error_class == "TaskTimeout"
    assert "timeout of 0.1 s, and only SIGTERM ended it" in cause.text


def test_who_does_not_react_to_that_either_is_killed(hurried, monkeypatch):
    monkeypatch.setattr(watch, "KILL_AFTER_S", 0.2)
    with blocked(signal.SIGALRM, signal.SIGTERM):
        cause = hurried.run(lambda: time.sleep(600), timeout_s=0.1).cause
    assert "and only SIGKILL ended it" in cause.text


def test_who_never_stops_printing_is_ended_as_well(hurried, capfd):
    def task():
        while True:
            os.write(1, b".")

    with blocked(signal.SIGALRM):
        cause = hurried.run(task, timeout_s=0.05, capture_output=True).cause
    assert "and only SIGTERM ended it" in cause.text


def test_what_it_started_ends_with_who_is_terminated(hurried, tmp_path, monkeypatch):
    def task():
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (tmp_path / "new").write_text(str(helper.pid))
        (tmp_path / "new").rename(tmp_path / "helper")
        time.sleep(600)

    stop_when_due = watch.Watch._stop_when_due
    monkeypatch.setattr(
        watch.Watch, "_stop_when_due", lambda self: (tmp_path / "helper").exists() and stop_when_due(self)
    )
    with blocked(signal.SIGALRM):
        cause = hurried.run(task, timeout_s=0.1).cause
    assert "and only SIGTERM ended it" in cause.text
    helper = int((tmp_path / "helper").read_text())
    wait_until(lambda: has_ended(helper))


def test_who_asks_learns_that_the_consumer_is_to_leave(hurried):
    def task(context: Context):
        while not context.should_stop:
            time.sleep(0.005)
        return "stopped"

    hurried.told_to_leave = True
    assert hurried.run(task, timeout_s=600, result_ttl_s=60).result == b'"stopped"'


def test_of_much_output_the_end_is_kept(cell, capfd):
    def task():
        print("x" * 1_000_000 + "the end")
        fail()

    with streams():
        output = cell.run(task, capture_output=True).cause.output
    assert (len(output), output[-8:]) == (2000, "the end\n")
    assert len(capfd.readouterr().err) == 1_000_008


def test_the_last_words_of_a_crash_are_kept(cell, capfd):
    def task():
        os.write(1, b"almost done\n")
        crash()

    assert cell.run(task, capture_output=True).cause.output == "almost done\n"

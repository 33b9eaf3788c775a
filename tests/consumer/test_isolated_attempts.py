from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from cronq import GiveUp
from cronq.messages.message import Fail, Release
from tests.consumer.isolation_helpers import nothing

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_how_long_it_took_is_remembered(cell):
    cell.run(lambda: None)
    assert cell.runner.durations.p95()["shop.task"] > 0


def test_arounds_and_resets_are_called_there(cell, tmp_path):
    @cell.app.around
    @contextmanager
    def around(context):
        yield
        note("left")

    def note(text):
        with open(tmp_path / "notes", "a") as file:
            file.write(f"{text} {os.getpid() == parent}\n")

    parent = os.getpid()
    cell.app.reset(lambda: note("reset"))
    cell.run(lambda: note("task"))
    assert (tmp_path / "notes").read_text() == "task False\nleft False\nreset False\n"


def test_connections_are_closed_before_the_fork_and_again_only_when_something_ran(cell):
    closed = []
    cell.app.disconnect(lambda: closed.append(os.getpid()))
    cell.run(nothing)
    cell.run(nothing)
    assert closed == [os.getpid()]
    cell.run(nothing, isolated=False)
    cell.run(nothing)
    assert closed == [os.getpid()] * 2


def test_a_process_that_is_left_behind_is_reported_once(cell, tmp_path):
    def task():
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open(tmp_path / "helpers", "a") as file:
            file.write(f"{helper.pid}\n")
        helper.returncode = 0  # it is meant to go on

    cell.run(task)
    cell.run(task)
    for pid in (tmp_path / "helpers").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    assert cell.told().count("leftovers") == 1


def test_a_host_without_room_for_a_process_costs_no_attempt(cell, monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    outcome = cell.run(lambda: None)
    assert (type(outcome), outcome.uncounted, outcome.delay_s) == (Release, True, 10.0)
    assert cell.told() == ["reserved", "pressure"]


def test_a_host_without_room_ends_a_message_that_runs_at_most_once(cell, monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert isinstance(cell.run(nothing, ack_first=True), Fail)
    assert cell.told() == ["reserved", "pressure", "ended_once"]


def test_a_give_up_is_one(cell):
    def task():
        raise GiveUp("no")

    assert isinstance(cell.run(task), Fail)

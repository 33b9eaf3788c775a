from __future__ import annotations

import gc
import os
import sys

import pytest

from tests.consumer.isolation_helpers import Cell, nothing, streams
from tests.processes import says
from tests.waiting import has_ended, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_what_was_printed_before_is_not_printed_twice(capfd):
    cell = Cell()
    with streams():
        sys.stdout.write("once")
        cell.run(nothing)
    assert capfd.readouterr().out == "once"


def test_a_host_without_room_for_pipes_loses_no_descriptor(cell, monkeypatch):
    cell.run(nothing)
    gc.collect()  # what earlier tests left open is closed now, not in between
    before, pipes = len(os.listdir("/proc/self/fd")), [os.pipe()]

    def pipe():
        if not pipes:
            raise OSError(24, "Too many open files")
        return pipes.pop()

    monkeypatch.setattr(os, "pipe", pipe)
    outcome = cell.run(nothing, capture_output=True)
    assert outcome.uncounted is True
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_descriptor_is_left_open(cell):
    cell.run(nothing, capture_output=True)
    gc.collect()
    before = os.listdir("/proc/self/fd")
    cell.run(nothing, capture_output=True)
    cell.run(nothing, capture_output=True)
    assert len(os.listdir("/proc/self/fd")) == len(before)


CONSUMER = """
from cronq.consumer.child import run_in_child

def work():
    say(os.getpid())
    time.sleep(600)

run_in_child(work, None, False, lambda: None)
"""


def test_a_child_does_not_outlive_its_killed_consumer(python):
    consumer = python(CONSUMER)
    pid = int(says(consumer))
    consumer.kill()
    wait_until(lambda: has_ended(pid))


LATE = """
from cronq.consumer import child

gone = os.getpid()
if os.fork() == 0:
    die_with = child._parent_death_signal()
    while os.getppid() == gone:
        time.sleep(0.001)
    try:
        die_with(gone)
        say("it goes on")
    finally:
        say("it is still there")
"""


def test_a_child_whose_consumer_died_before_it_could_ask_leaves_at_once(python):
    consumer = python(LATE)
    assert consumer.stdout.read() == ""

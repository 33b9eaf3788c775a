from __future__ import annotations

import os
import threading

import pytest

from cronq.consumer.leftovers import Leftovers, look
from tests.consumer.isolation_helpers import Cell


@pytest.fixture
def release():
    """What background threads of a test wait for."""
    event, before = threading.Event(), threading.enumerate()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread not in before:
            thread.join()


@pytest.fixture
def children():
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.waitpid(pid, 0)


def leaves(children):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    children.append(pid)


def test_a_task_is_looked_at_after_its_1st_2nd_4th_and_8th_run():
    leftovers = Leftovers()
    assert [run for run in range(1, 20) if leftovers.is_due("a")] == [1, 2, 4, 8, 16]
    assert leftovers.is_due("b")


def test_who_leaves_nothing_is_not_reported():
    assert Leftovers().found("a", look()) is None


def test_a_thread_is_named(release):
    before = look()
    threading.Thread(target=release.wait, name="poller").start()
    assert Leftovers().found("a", before) == "a thread (poller)"


def test_a_child_that_nobody_waits_for_is_noticed(children):
    before = look()
    leaves(children)
    assert Leftovers().found("a", before) == "a child process"


def test_what_was_there_before_is_another_s(children, release):
    leaves(children)
    threading.Thread(target=release.wait).start()
    assert Leftovers().found("a", look()) is None


def test_a_task_is_reported_once(children):
    leftovers, before = Leftovers(), look()
    leaves(children)
    assert leftovers.found("a", before)
    assert leftovers.found("a", before) is None
    assert leftovers.found("b", before)
    assert not any(leftovers.is_due("a") for _ in range(10))


def test_a_runner_warns_of_a_task_that_leaves_a_thread(release):
    cell = Cell()
    cell.run(lambda: threading.Thread(target=release.wait, name="poller").start(), isolated=False)
    name, facts = cell.events[1]
    assert (name, facts["what"], facts["message"].task) == ("leftovers", "a thread (poller)", "shop.task")

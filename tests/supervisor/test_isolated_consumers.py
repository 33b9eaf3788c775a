"""Isolated messages in real consumers: nobody outlives anybody, and the consumer goes on."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from cronq import Retry
from cronq.messages.message import State
from tests.supervisor.project import HEAD, Project
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS = (
    HEAD
    + '''
import ctypes, faulthandler


@app.task(isolated=True)
def hold(name: str) -> None:
    """Run until the file `name` is there."""
    write("ran", f"{name} {os.getpid()} {os.getppid()}")
    while not os.path.exists(f"{HERE}/{name}"):
        time.sleep(0.005)
    write("done", name)


@app.task
def note(text: str) -> None:
    write("notes", f"{text} {os.getpid()}")


@app.task(isolated=True)
def pass_on(text: str) -> None:
    note.enqueue(text)


@app.task(isolated=True, retry=Retry(max_attempts=1), capture_output=True)
def crash() -> None:
    print("last words", flush=True)
    faulthandler.disable()
    ctypes.string_at(0)
'''
)


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    made.write("tasks.py", TASKS)
    for name, function in {"hold": lambda name: None, "note": lambda text: None, "pass_on": lambda text: None}.items():
        made.app.registry._tasks.pop(f"tasks.{name}", None)
        made.app.task(name=f"tasks.{name}", retry=Retry(5, delay_s=0))(function)
    made.app.task(name="tasks.crash", retry=Retry(1))(lambda: None)
    yield made
    made.kill_all()


def test_a_killed_consumer_s_isolated_message_dies_with_it_and_runs_again(project: Project) -> None:
    consumer = project.started()
    project.enqueue("hold", "gate")
    wait_until(lambda: project.read("ran"))
    _, child, parent = project.read("ran")[0].split()
    assert int(parent) == consumer
    os.kill(consumer, signal.SIGKILL)
    wait_until(lambda: has_ended(int(child)))
    project.touch("gate")
    wait_until(lambda: project.tick() == "" and project.read("done") == ["gate"])
    assert len(project.read("ran")) == 2


def test_a_crash_in_an_isolated_message_leaves_its_consumer_alone(project: Project) -> None:
    consumer = project.started()
    project.enqueue("crash")
    project.enqueue("note", "after")
    wait_until(lambda: project.read("notes"))
    assert project.read("notes") == [f"after {consumer}"]
    (record,) = project.app.transport.browse(State.FAILED)
    (attempt,) = record.attempts
    assert (attempt.error_class, attempt.output) == ("Killed", "last words\n")
    assert attempt.peak_mb is not None
    assert attempt.error.startswith("ended by SIGSEGV")


def test_an_isolated_message_may_enqueue_others(project: Project) -> None:
    project.started()
    for number in range(20):
        project.enqueue("pass_on", str(number))
    wait_until(lambda: len(project.read("notes")) == 20)
    assert sorted(int(line.split()[0]) for line in project.read("notes")) == list(range(20))
    wait_until(lambda: project.app.transport.counts() == [])


def test_a_consumer_that_is_told_to_leave_lets_its_isolated_message_finish(project: Project) -> None:
    consumer = project.started()
    project.enqueue("hold", "gate")
    wait_until(lambda: project.read("ran"))
    os.kill(consumer, signal.SIGTERM)
    project.touch("gate")
    wait_until(lambda: has_ended(consumer))
    assert project.read("done") == ["gate"]
    assert project.app.transport.counts() == []

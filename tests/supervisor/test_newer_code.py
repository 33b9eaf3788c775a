"""A deployment adds tasks and removes others while consumers of the code before go on: real ticks and consumers."""

from __future__ import annotations

import os
import signal

import pytest

from cronq.messages.message import State
from tests.supervisor.project import HEAD, TASKS, Project
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:consumers do not know")  # their code is said to be older than this


@pytest.fixture
def project(home):
    made = Project(home)
    yield made
    made.kill_all()


def test_a_message_of_a_new_task_waits_for_a_consumer_of_the_new_code(project):
    old = project.started()
    new = project.app.task(name="tasks.brand_new")(lambda: None).enqueue()
    wait_until(lambda: "waits for a consumer that has newer code" in project.log())
    project.enqueue("note", "meanwhile")
    wait_until(lambda: project.read("ran") == ["meanwhile"])
    (waiting,) = project.app.transport.browse(State.READY)
    assert (waiting.message.id, waiting.message.attempt) == (new.id, 0)
    project.write("tasks.py", f'{TASKS}\n\n@app.task\ndef brand_new() -> None:\n    write("ran", "new")\n')
    os.kill(old, signal.SIGTERM)
    wait_until(lambda: old not in project.processes())
    project.started()
    wait_until(lambda: project.read("ran") == ["meanwhile", "new"])


def test_a_message_of_a_removed_task_is_parked_by_the_consumer_after_that(project):
    old = project.started()
    project.app.task(name="tasks.removed")(lambda: None).enqueue()
    wait_until(lambda: "waits for a consumer that has newer code" in project.log())
    project.write("tasks.py", HEAD)
    os.kill(old, signal.SIGTERM)
    wait_until(lambda: old not in project.processes())
    project.started()
    wait_until(lambda: project.fails_of("tasks.removed"))
    (parked,) = project.app.transport.browse(State.FAILED)
    assert parked.message.attempt == 1

"""Messages that a person stops while real consumers run them."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cronq import Retry
from cronq.host.bell import ring
from cronq.messages.message import State
from tests.supervisor.project import CONFIG, HEAD, Project
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TASKS = (
    HEAD
    + '''
import signal


@app.task
def hold(name: str) -> None:
    """Run until the file `name` is there."""
    write("ran", name)
    while not os.path.exists(f"{HERE}/{name}"):
        time.sleep(0.005)
    write("done", name)


@app.task(isolated=True)
def alone(name: str) -> None:
    hold.function(name)


@app.task(isolated=True)
def deaf(name: str) -> None:
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    hold.function(name)


def count(context: Context) -> object:
    number = context.cursor or 0
    write("counted", str(number))
    while not context.should_stop:
        time.sleep(0.005)
    return context.continue_later(number + 1, delay_s=3600)


looks = app.task(name="tasks.looks")(count)
looks_alone = app.task(name="tasks.looks_alone", isolated=True)(count)


@app.task
def ends(context: Context) -> None:
    write("ran", "ends")
    while not context.should_stop:
        time.sleep(0.005)
    write("done", "ends")


@app.batch(size=2, wait_s=60, name="tasks.together")
def together(names: list[str]) -> None:
    write("ran", ",".join(names))
    while True:
        time.sleep(0.005)


@app.task
def swallows() -> None:
    write("ran", "swallows")
    try:
        while True:
            time.sleep(0.005)
    except BaseException as error:
        write("caught", type(error).__name__)
'''
)
NAMES: dict[str, Callable[..., None]] = {
    "hold": lambda name: None,
    "alone": lambda name: None,
    "deaf": lambda name: None,
    "looks": lambda: None,
    "looks_alone": lambda: None,
    "ends": lambda: None,
    "swallows": lambda: None,
}


def named(names: list[str]) -> None:
    """Stand for the batch task of the project, which runs it."""


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    project = Project(home)
    project.write("cronq.toml", CONFIG.replace('"2s"', '"60s"'))
    project.write("tasks.py", TASKS)
    for name, function in NAMES.items():
        project.app.registry._tasks.pop(f"tasks.{name}", None)
        project.app.task(name=f"tasks.{name}", retry=Retry(max_attempts=3, delay_s=0))(function)
    yield project
    project.kill_all()


def running(project: Project, *words: str):
    """Enqueue, start a consumer, and return the ref when the task runs."""
    ref = project.enqueue(*words)
    project.started()
    wait_until(lambda: project.read("ran") or project.read("counted"))
    return ref


def failed(project: Project, ref):
    wait_until(lambda: ref.status == "failed")
    return project.app.transport.find(ref.id)


@pytest.mark.parametrize("task", ["hold", "alone"])
def test_a_task_that_looks_at_nothing_is_stopped_and_not_retried(project, task):
    ref = running(project, task, "x")
    after = project.enqueue("hold", "y")
    assert ref.stop()
    record = failed(project, ref)
    assert (record.error_class, record.message.attempt, record.error.count("in hold")) == ("TaskStopped", 1, 1)
    wait_until(lambda: "y" in project.read("ran"))
    project.touch("y")
    wait_until(lambda: after.status == "gone")
    assert project.read("done") == ["y"]
    assert project.slot().live_note is not None


def test_an_isolated_task_that_ignores_signals_is_killed(project):
    ref = running(project, "deaf", "x")
    assert ref.stop()
    record = failed(project, ref)
    assert record.error_class == "TaskStopped"
    assert "SIGKILL" in record.error
    assert project.slot().live_note is not None


def test_a_call_of_several_messages_ends_when_all_of_them_are_stopped(project):
    project.started()
    together = project.app.batch(size=2, wait_s=60, name="tasks.together")(named)
    refs = together.enqueue_many([(("x",), {}), (("y",), {})])
    wait_until(lambda: project.read("ran"))
    stop = project.command("messages", "stop", *(ref.id for ref in refs), "--config", project.config)
    told = subprocess.run(stop, cwd=project.home, capture_output=True, text=True, check=True).stdout
    assert told.count("its consumer was told; a call of several messages ends when all of them are stopped") == 2
    assert [failed(project, ref).error_class for ref in refs] == ["TaskStopped"] * 2
    assert project.read("ran") == ["x,y"]


@pytest.mark.parametrize("task", ["looks", "looks_alone"])
def test_a_task_that_looks_keeps_its_cursor_for_a_retry(project, task):
    ref = running(project, task)
    assert ref.stop()
    record = failed(project, ref)
    assert (record.error_class, record.message.cursor) == ("TaskStopped", b"1")
    project.app.transport.revive([ref.id])
    ring(project.app.state.wake("normal"))
    wait_until(lambda: project.read("counted") == ["0", "1"])


def test_a_task_that_ends_by_itself_when_asked_is_done(project):
    ref = running(project, "ends")
    assert ref.stop()
    wait_until(lambda: ref.status == "gone")
    assert project.read("done") == ["ends"]


def test_a_stop_that_the_task_swallows_leaves_it_done_and_the_next_one_alone(project):
    ref = running(project, "swallows")
    after = project.enqueue("hold", "y")
    assert ref.stop()
    wait_until(lambda: "y" in project.read("ran"))
    assert not ref.stop()
    project.touch("y")
    wait_until(lambda: after.status == "gone")
    assert project.read("caught") == ["TaskStopped"]


def test_a_message_whose_consumer_dies_while_it_is_stopped_is_not_run_again(project):
    ref = running(project, "hold", "x")
    project.app.transport.ask_to_stop([ref.id])
    pid = project.slot().pid
    os.kill(pid, 9)
    wait_until(lambda: has_ended(pid))
    project.tick()
    assert failed(project, ref).error_class == "TaskStopped"
    assert project.read("ran") == ["x"]


def test_ids_that_run_no_more_stop_nobody(project):
    first = running(project, "hold", "x")
    second = project.enqueue("hold", "y")
    project.touch("x")
    wait_until(lambda: "y" in project.read("ran"))
    assert not first.stop()
    project.touch("y")
    wait_until(lambda: second.status == "gone")
    assert project.app.transport.browse(State.FAILED) == []

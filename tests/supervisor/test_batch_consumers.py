"""Batch tasks in real consumers: gathering in real time, and what a kill in the middle of a call leaves."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from cronq import Retry
from cronq.messages.message import State
from tests.supervisor.project import HEAD, WOKEN, Project
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS = (
    HEAD
    + """


@app.batch(size=3, wait_s=60, retry=Retry(2, delay_s=0))
def index(names: list[str]) -> None:
    write("began", " ".join(names))
    while ("hold" in names or names == ["wrong"]) and not os.path.exists(f"{HERE}/go"):
        time.sleep(0.005)
    if "poison" in names:
        os.kill(os.getpid(), 9)
    if "wrong" in names:
        raise PartlyFailed({names.index("wrong"): ValueError("wrong")})
    write("done", " ".join(names))


@app.batch(size=3, wait_s=0.2)
def soon(names: list[str]) -> None:
    write("done", " ".join(names))


@app.task
def plain(name: str) -> None:
    write("done", name)
"""
)


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    made.write("cronq.toml", WOKEN)
    made.write("tasks.py", TASKS)

    def index(names: list[str]) -> None: ...

    made.app.batch(size=3, wait_s=60, name="tasks.index", retry=Retry(2, delay_s=0))(index)
    made.app.batch(size=3, wait_s=0.2, name="tasks.soon")(index)
    made.app.task(name="tasks.plain")(lambda name: None)
    yield made
    made.kill_all()


def send(project: Project, *names: str, task: str = "index") -> None:
    project.app.registry.get(f"tasks.{task}").enqueue_many([((name,), {}) for name in names])


def counts(project: Project):
    return [(one.ready, one.delayed, one.reserved, one.failed) for one in project.app.transport.counts()]


def test_an_idle_consumer_runs_a_full_batch_at_once_and_others_when_they_have_waited(project: Project) -> None:
    project.started()
    send(project, "a", "b")
    send(project, "c")
    wait_until(lambda: project.read("done") == ["a b c"], 50)  # and not after the minute that fewer would wait
    send(project, "d", task="soon")
    wait_until(lambda: project.read("done") == ["a b c", "d"])
    wait_until(lambda: counts(project) == [])


def test_a_kill_in_the_middle_of_a_batch_repeats_it_one_by_one_and_loses_nothing(project: Project) -> None:
    consumer = project.started()
    send(project, "a", "hold", "b")
    wait_until(lambda: project.read("began"))
    os.kill(consumer, signal.SIGKILL)
    project.touch("go")
    wait_until(lambda: project.tick() == "" and len(project.read("done")) == 3)
    assert project.read("began") == ["a hold b", "a", "hold", "b"]
    assert sorted(project.read("done")) == ["a", "b", "hold"]
    wait_until(lambda: counts(project) == [])


def test_each_of_a_killed_batch_has_spent_one_attempt_and_nothing_else_has(project: Project) -> None:
    consumer = project.started()
    send(project, "a", "hold", "b")
    wait_until(lambda: project.read("began"))
    project.enqueue("plain", "behind")
    os.kill(consumer, signal.SIGKILL)
    project.write(
        "cronq.toml", (project.home / "cronq.toml").read_text().replace("min = 1, max = 1", "min = 0, max = 1")
    )
    project.write("tasks.py", "raise SystemExit(3)")  # so nobody runs what is rescued
    wait_until(lambda: project.tick() == "" and counts(project) == [(4, 0, 0, 0)])
    attempts = {one.message.task: one.message.attempt for one in project.app.transport.browse(State.READY)}
    assert attempts == {"tasks.index": 1, "tasks.plain": 0}


def test_a_batch_whose_item_kills_ends_with_that_one_in_the_failure_queue(project: Project) -> None:
    project.started()
    send(project, "a", "poison", "b")
    wait_until(lambda: project.tick() == "" and counts(project) == [(0, 0, 0, 1)])
    (record,) = project.app.transport.browse(State.FAILED)
    assert (record.message.body, record.message.attempt, record.error_class) == (b'{"names":"poison"}', 2, "Killed")
    assert sorted(project.read("done")) == ["a", "b"]


def test_a_kill_after_a_batch_of_which_one_failed_repeats_only_that_one(project: Project) -> None:
    consumer = project.started()
    send(project, "a", "wrong", "b")
    wait_until(lambda: project.read("began") == ["a wrong b", "wrong"])
    os.kill(consumer, signal.SIGKILL)
    wait_until(lambda: project.tick() == "" and counts(project) == [(0, 0, 0, 1)])
    assert project.read("began") == ["a wrong b", "wrong"]
    (record,) = project.app.transport.browse(State.FAILED)
    assert [one.error_class for one in record.attempts] == ["ValueError", "Killed"]


def test_a_consumer_that_is_told_to_leave_finishes_its_batch(project: Project) -> None:
    consumer = project.started()
    send(project, "a", "hold", "b")
    wait_until(lambda: project.read("began"))
    os.kill(consumer, signal.SIGTERM)
    project.touch("go")
    wait_until(lambda: counts(project) == [])
    assert project.read("done") == ["a hold b"]

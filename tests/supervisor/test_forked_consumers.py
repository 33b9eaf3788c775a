"""`spawn = "fork"`: consumers started together come of one import of the project, and are otherwise like any other."""

from __future__ import annotations

import os
import signal

import pytest

from cronq.supervisor import backoff
from tests.supervisor.project import TASKS, Project
from tests.waiting import has_ended, wait_until

CONFIG = """
app = "tasks:app"
interval = "60s"
max_processes = 4
spawn = "fork"

[[consumers]]
name = "many"
queues = ["high", "normal"]
time_limit = "10m"
autoscale = { desired_size = 1, min = 3, max = 3 }
"""
COUNTED = TASKS + "\nwrite('imported', str(os.getpid()))\n"
SLOTS = ("many.0", "many.1", "many.2")


@pytest.fixture
def project(home):
    made = Project(home)
    made.write("cronq.toml", CONFIG)
    made.write("tasks.py", COUNTED)
    yield made
    made.kill_all()


def started(project: Project) -> dict[str, int]:
    assert project.tick() == ""
    return {name: project.consuming(name) for name in SLOTS}


def test_three_consumers_come_of_one_import(project):
    pids = started(project)
    assert len(set(pids.values())) == 3
    assert len(project.read("imported")) == 1


def test_each_is_a_process_of_its_own_that_no_other_waits_for(project):
    pids = started(project)
    assert len({os.getsid(pid) for pid in pids.values()}) == 3
    assert {parent(pid) for pid in pids.values()}.isdisjoint(pids.values())


@pytest.mark.slow
def test_they_share_the_work_and_are_killed_one_by_one(project):
    pids = started(project)
    for number in range(3):
        project.enqueue("hold", f"gate{number}")
    wait_until(lambda: len(project.read("ran")) == 3)
    assert {int(line.split()[2]) for line in project.read("ran")} == set(pids.values())
    os.kill(pids["many.1"], signal.SIGKILL)
    for number in range(3):
        project.touch(f"gate{number}")
    wait_until(lambda: has_ended(pids["many.1"]))
    project.tick()
    wait_until(lambda: {f"gate{number} done" for number in range(3)} <= set(project.read("ran")))


def test_their_log_lines_name_them(project):
    started(project)
    log = wait_until(lambda: all(f"{name} consumes" in project.log() for name in SLOTS) and project.log())
    assert log.count("consumer many[") == 3


def test_a_project_that_starts_a_thread_when_imported_is_imported_by_each(project):
    project.write(
        "tasks.py", COUNTED + "import threading\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    )
    started(project)
    assert len(project.read("imported")) == 3
    assert "importing the project started a thread: each consumer imports it anew" in project.log()


@pytest.mark.parametrize(
    ("opened", "said"),
    [
        ("import socket\nkept = socket.socket()", r"importing the project opened socket:"),
        (
            "import sqlite3\nkept = sqlite3.connect('kept.db')\nkept.execute('create table if not exists t (a)')",
            "kept.db to read and write",
        ),
    ],
)
def test_what_two_processes_must_not_share_is_not_shared(project, opened, said):
    project.write("tasks.py", COUNTED + opened)
    started(project)
    assert len(project.read("imported")) == 3
    assert said in project.log()


def test_an_open_log_file_is_shared(project):
    project.write("tasks.py", COUNTED + "import logging\nlogging.basicConfig(filename=f'{HERE}/app.log')")
    started(project)
    assert len(project.read("imported")) == 1


def test_a_project_that_cannot_be_imported_is_one_death_and_not_three(project):
    project.write("tasks.py", "raise ValueError('broken')")
    project.tick()
    wait_until(lambda: backoff.read(project.state.backoff("many")).deaths)
    wait_until(lambda: not project.processes())
    assert backoff.read(project.state.backoff("many")).deaths == 1
    assert "importing tasks:app failed: ValueError: broken" in project.log()


def test_successors_come_of_one_import_too(project):
    project.write("cronq.toml", CONFIG.replace("10m", "60s"))  # so a tick starts a successor for each at once
    pids = started(project)
    project.tick()
    new = {project.consuming(name, other_than=pid) for name, pid in pids.items()}
    assert len(new) == 3
    assert len(project.read("imported")) == 2


def parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])

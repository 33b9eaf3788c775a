"""A consumer that cannot write down what it has finished, as when the disk is full: nobody may run that again."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from cronq.clock import SystemClock
from cronq.supervisor.tick import Supervisor, tick
from tests.supervisor.project import CONFIG, TASKS, Project
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINGER = """
import atexit

@atexit.register
def end_slowly():
    while os.path.exists(f"{HERE}/linger"):
        time.sleep(0.005)
"""
ROOM = 8192  # bytes of a file: more than notes and lines of the log need, less than the write-ahead log has already


class Later(SystemClock):
    """The clock of a tick that comes twenty minutes from now."""

    def monotonic(self) -> float:
        return super().monotonic() + 1200


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    made.write("cronq.toml", CONFIG.replace("2s", "60s"))
    made.write("tasks.py", TASKS + LINGER)
    yield made
    made.kill_all()


def waiting_for_room(project: Project) -> int:
    """Return the pid of a consumer that has ended a message and waits for room to write that down."""
    pid = project.started()
    for number in range(10):
        project.enqueue("note", str(number))
    wait_until(lambda: len(project.read("ran")) == 10)
    project.enqueue("hold", "gate")
    wait_until(lambda: len(project.read("ran")) == 11)
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (ROOM, most))
    project.touch("gate")
    wait_until(lambda: "waiting for better times" in project.log())
    return pid


def ran_once(project: Project, pid: int) -> bool:
    """Wait until all is settled, and tell whether only the consumer `pid` ran the message."""
    wait_until(lambda: project.tick() == "" and project.app.transport.counts() == [])
    return project.read("ran")[10:] == [f"gate 1 {pid}", "gate done"]


def test_what_a_consumer_had_finished_is_not_run_again_when_it_is_killed_while_it_waits(project: Project) -> None:
    pid = waiting_for_room(project)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    assert ran_once(project, pid)


def test_who_waits_past_its_deadline_leaves_when_a_tick_tells_it(project: Project) -> None:
    pid = waiting_for_room(project)
    app = project.app
    plan = tick(Supervisor(app.settings, project.state, app.transport, Later(), lambda command: True, os.environ))
    assert plan is not None
    assert [(stop.note.holder.pid, stop.kill) for stop in plan.stop] == [(pid, False)]
    wait_until(lambda: has_ended(pid))
    assert "standby.0 leaves after 11 messages, 0 failed: SIGTERM received" in project.log()
    assert ran_once(project, pid)


def test_a_successor_writes_down_what_its_predecessor_could_not_though_that_is_still_ending(project: Project) -> None:
    """A process lives on for a moment after it has let go of its slot; the successor overwrites its note by then."""
    project.touch("linger")
    pid = waiting_for_room(project)
    successor = subprocess.Popen(project.command("consume", "standby.0", "--config", project.config), cwd=project.home)
    assert project.consuming(other_than=pid) == successor.pid
    assert not has_ended(pid)
    os.unlink(project.home / "linger")
    wait_until(lambda: has_ended(pid))
    assert ran_once(project, pid)
    successor.terminate()
    successor.wait(60)


def test_who_has_left_is_replaced_by_the_next_tick_though_its_process_is_still_ending(project: Project) -> None:
    project.touch("linger")
    pid = waiting_for_room(project)
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not project.slot().is_live)
    project.tick()
    assert project.consuming(other_than=pid)
    assert not has_ended(pid)
    assert ran_once(project, pid)

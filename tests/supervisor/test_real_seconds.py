"""Sub-minute schedules with real consumers: many of them, one tick, and every run once."""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest

from tests.supervisor.project import CONFIG, Project
from tests.waiting import wait_until

PULSE = """
@app.cron("@every 1s", overlap=True, missed="all")
@app.task
def pulse(context: Context) -> None:
    write("pulses", f'{context.headers["due_at"]} {time.monotonic()}')
"""
TWO_GROUPS = CONFIG.replace("2s", "60s") + (
    '[[consumers]]\nname = "low"\nqueues = ["low"]\nautoscale = { desired_size = 1, min = 2, max = 2 }\n'
)


@pytest.fixture
def project(home):
    made = Project(home)
    made.write("cronq.toml", TWO_GROUPS)
    yield made
    made.kill_all()


def with_pulse(project: Project) -> None:
    project.write("tasks.py", (project.home / "tasks.py").read_text() + PULSE)


def test_consumers_of_all_groups_fire_what_one_tick_an_hour_would_not_see_and_each_run_once(project):
    with_pulse(project)
    project.started()
    wait_until(lambda: len(project.processes()) == 3)
    pulses = wait_until(lambda: _one_by_one(found := project.read("pulses")) and found)
    assert len(set(pulses)) == len(pulses)
    seconds = [int(datetime.fromisoformat(one.split()[0]).timestamp()) for one in pulses]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))  # none is missing in between


def _one_by_one(pulses):
    """Tell whether four came at intervals, as they are due: a machine that stalls makes up for several at once."""
    ran_at = [float(one.split()[1]) for one in pulses]
    gaps = [later - earlier > 0.5 for earlier, later in itertools.pairwise(ran_at)]
    return any(all(gaps[first : first + 3]) for first in range(len(gaps) - 2))


def test_one_consumer_goes_on_firing_when_another_is_busy(project):
    with_pulse(project)
    project.started()
    wait_until(lambda: len(project.processes()) == 3)
    wait_until(lambda: len(project.read("pulses")) >= 1)
    project.enqueue("hold", "gate")
    wait_until(lambda: project.read("ran"))
    waiting = project.app.transport
    before = waiting.depth(["normal"], 100)
    wait_until(lambda: waiting.depth(["normal"], 100) >= before + 2)  # the one that runs its queue is held
    project.touch("gate")
    wait_until(lambda: waiting.depth(["normal"], 100) == 0)


def test_a_schedule_that_is_added_while_consumers_live_is_fired_by_them(project):
    project.started()
    project.app.schedules.add("pulse", "tasks.note", "@every 1s", args={"text": "tick"}, overlap=True)
    wait_until(lambda: project.read("ran").count("tick") >= 2)

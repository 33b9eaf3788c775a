"""While places are free no message waits behind a long one: real consumers, and no tick but the first."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from cronq.supervisor.help import as_ready, waiting
from cronq.supervisor.presence import Presence, presence_of
from cronq.supervisor.slots import TIED_UP_S
from tests.presence import there
from tests.supervisor.project import TASKS, Project
from tests.supervisor.sights import MONOTONIC, live
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_GROUPS = """
app = "tasks:app"
interval = "60s"
max_processes = {places}
"""

NARROW_GROUPS = (
    DEFAULT_GROUPS
    + """
[[consumers]]
name = "standby"
queues = ["normal", "low"]
autoscale = {{ desired_size = 1, min = 1, max = 1 }}
[[consumers]]
name = "high"
queues = ["high"]
autoscale = {{ desired_size = 1, min = 1, max = 1 }}
[[consumers]]
name = "normal"
queues = ["normal"]
autoscale = {{ desired_size = 1, min = 0, max = 1 }}
"""
)

FORWARD = """

@app.task
def forward(text: str) -> None:
    note.enqueue(text)
"""

SHORT = "0.0010 tasks.hold\n0.0010 tasks.note\n"
"""What is remembered of tasks: nobody expects a long message."""


@pytest.fixture
def project(home):
    made = Project(home)
    yield made
    made.kill_all()


def by_command(project: Project, *words: str) -> None:
    subprocess.run(project.command("enqueue", *words), check=True, cwd=project.home, stdout=subprocess.DEVNULL)


def by_program(project: Project, name: str, *arguments: str) -> None:
    code = f"import {name.partition('.')[0]}; {name}.enqueue(*{arguments!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project.home)


def by_outbox(project: Project, name: str, *arguments: str) -> None:
    code = f"import tasks\nwith tasks.app.outbox(): {name}.enqueue(*{arguments!r})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project.home)


def with_a_long_message(project: Project) -> None:
    """Start the standby, and have it run a message of `low` that ends when the file `gate` is there."""
    project.started()
    project.enqueue("hold", "gate", queue="low")
    wait_until(lambda: project.read("ran"))


def is_held(project: Project) -> bool:
    return not any("done" in line for line in project.read("ran"))


@pytest.mark.parametrize("enqueue", [by_command, by_program, by_outbox])
@pytest.mark.parametrize("places", [2, 4])
@pytest.mark.parametrize("remembered", ["", SHORT])
def test_a_message_does_not_wait_behind_a_long_one(project, places, remembered, enqueue: Callable[..., None]):
    project.write("cronq.toml", DEFAULT_GROUPS.format(places=places))
    project.state.prepare()
    project.write(".cronq/durations", remembered)
    with_a_long_message(project)
    enqueue(project, "tasks.note", "urgent")
    wait_until(lambda: "urgent" in project.read("ran"))
    assert is_held(project)
    project.touch("gate")


def test_with_one_place_a_long_message_of_low_is_run_and_the_others_wait(project):
    project.write("cronq.toml", DEFAULT_GROUPS.format(places=1))
    with_a_long_message(project)
    by_command(project, "tasks.note", "urgent")
    assert "urgent" not in project.read("ran")
    project.touch("gate")
    wait_until(lambda: "urgent" in project.read("ran"))
    assert project.log().count("started a consumer") == 1


def test_somebody_is_ready_before_a_message_that_may_be_long(project):
    project.write("cronq.toml", DEFAULT_GROUPS.format(places=4))
    with_a_long_message(project)
    project.consuming("standby.1")
    assert is_held(project)
    project.touch("gate")


def test_the_last_place_is_not_taken_for_what_may_never_come(project):
    """The narrow group that could come would be in the way of others."""
    project.write("cronq.toml", NARROW_GROUPS.format(places=3).replace('"normal", "low"', '"normal", "low", "mail"'))
    project.started()
    project.consuming("high.0")
    project.enqueue("hold", "gate", queue="low")
    wait_until(lambda: project.read("ran"))
    project.touch("gate")
    wait_until(lambda: not is_held(project))
    assert project.log().count("nobody was ready") == 0


def test_a_consumer_fetches_help_for_the_messages_of_its_tasks(project):
    project.write("tasks.py", TASKS + FORWARD)
    project.write("cronq.toml", NARROW_GROUPS.format(places=4))
    project.state.prepare()
    project.write(".cronq/durations", SHORT + "0.001 tasks.forward\n")
    with_a_long_message(project)
    project.consuming("high.0")
    wait_until(lambda: time.monotonic() - there(project.slot().live_note).since > TIED_UP_S)
    subprocess.run(
        project.command("enqueue", "tasks.forward", "urgent", "--queue", "high"), check=True, cwd=project.home
    )
    wait_until(lambda: "urgent" in project.read("ran"))
    assert is_held(project)
    assert "consumer high" in next(line for line in project.log().splitlines() if "nobody was ready" in line)
    project.touch("gate")


def test_what_was_there_before_a_message_turned_out_long_is_fetched_for_in_the_middle_of_it(project):
    """Nobody could know: the task was short so far, and the test itself, under pytest, starts nothing."""
    project.write("cronq.toml", DEFAULT_GROUPS.format(places=2))
    project.state.prepare()
    project.write(".cronq/durations", SHORT)
    with project.app.outbox():
        project.enqueue("hold", "gate", queue="high")
        project.enqueue("note", "urgent", queue="low")
    project.started()
    wait_until(lambda: "urgent" in project.read("ran"))
    assert is_held(project)
    project.touch("gate")


FULL = (
    DEFAULT_GROUPS
    + """
[[consumers]]
name = "low"
queues = ["low"]
autoscale = {{ min = 1, max = 1 }}
[[consumers]]
name = "high"
queues = ["high"]
linger = "0s"
[[consumers]]
name = "normal"
queues = ["normal"]
"""
)


def test_who_makes_room_starts_a_consumer_for_what_found_no_place(project):
    project.write("cronq.toml", FULL.format(places=2))
    project.started("low.0")
    project.enqueue("hold", "gate", queue="low")
    by_command(project, "tasks.hold", "other", "--queue", "high")
    wait_until(lambda: len(project.read("ran")) == 2)
    by_command(project, "tasks.note", "urgent")
    assert project.log().count("nobody was ready") == 1
    project.touch("other")
    wait_until(lambda: "urgent" in project.read("ran"))
    assert "gate done" not in project.read("ran")
    project.touch("gate")


def test_with_a_minimum_of_none_the_first_message_starts_its_consumer(project):
    groups = '[[consumers]]\nname = "all"\nqueues = ["high", "normal", "low"]\nautoscale = {{ min = 0, max = 1 }}\n'
    project.write("cronq.toml", (DEFAULT_GROUPS + groups).format(places=4))
    assert project.tick() == ""
    assert project.processes() == []
    by_command(project, "tasks.note", "first")
    wait_until(lambda: "first" in project.read("ran"))


def test_nobody_is_started_where_cron_does_not_tick(project):
    project.write("cronq.toml", DEFAULT_GROUPS.format(places=4))
    by_command(project, "tasks.note", "first")
    assert project.processes() == []


def test_several_that_enqueue_at_once_start_one_consumer(project):
    project.write("cronq.toml", DEFAULT_GROUPS.format(places=4))
    project.state.prepare()
    project.write(".cronq/durations", SHORT)
    with_a_long_message(project)
    words = project.command("enqueue", "tasks.note", "urgent")
    started = [subprocess.Popen(words, cwd=project.home, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [one.wait() for one in started] == [0] * 4
    wait_until(lambda: project.read("ran").count("urgent") == 4)
    assert project.log().count("nobody was ready") == 1
    project.touch("gate")


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (Presence(), ["high", "low"]),
        (Presence(ready=frozenset({"high"})), ["low"]),
        (Presence(ready=frozenset({"high"}), busy=frozenset({"high", "low"})), ["low"]),
        (Presence(elsewhere=frozenset({"high", "low"})), []),
        (Presence(busy=frozenset({"low"}), elsewhere=frozenset({"high", "low"})), ["low"]),
    ],
)
def test_a_queue_wants_help_when_nobody_of_this_host_is_ready(found, wanted):
    assert waiting(["high", "low"], found) == wanted


def test_who_has_been_at_a_message_for_a_moment_counts_as_ready():
    seen = [live("high.0", since=MONOTONIC - 0.5), live("low.0", since=MONOTONIC - TIED_UP_S, queues=("low",))]
    found = presence_of(as_ready(seen, MONOTONIC), (), "web1")
    assert (sorted(found.ready), sorted(found.busy)) == (["high"], ["low"])

"""A consumer whose message neither ends nor reacts: the ticks end it, and say of the message that its time was over."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cronq import Retry
from cronq.clock import SystemClock
from cronq.host.process import start_of
from cronq.messages.message import State
from cronq.supervisor.plan import KILL_AFTER_S
from cronq.supervisor.tick import Supervisor, tick
from tests.supervisor.project import Project
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS = """
import os, signal, time
from cronq import App, Retry

app = App.from_config("cronq.toml")


@app.task(timeout_s=300, retry=Retry(max_attempts=1))
def hang() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ran"), "w").close()
    while True:
        time.sleep(60)
"""


class Later(SystemClock):
    """The clock of a tick that comes ten minutes from now, or later still. It stands: ticks come at the same moment."""

    def __init__(self) -> None:
        self.reading = super().monotonic() + 600

    def monotonic(self) -> float:
        return self.reading


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    made.write("tasks.py", TASKS)
    made.app.task(name="tasks.hang", retry=Retry(1))(lambda: None)
    yield made
    made.kill_all()


def test_a_message_that_had_to_be_killed_with_its_consumer_timed_out(project: Project) -> None:
    consumer = project.started()
    project.enqueue("hang")
    wait_until((project.home / "ran").exists)
    transport = project.app.transport
    clock = Later()
    later = Supervisor(project.app.settings, project.state, transport, clock, lambda command: True, os.environ)
    tick(later)  # SIGTERM, which a consumer only takes note of
    plan = tick(later)  # at once, as in a burst
    assert plan is not None
    assert [stop.kill for stop in plan.stop] == [False]
    assert start_of(consumer) is not None
    clock.reading += KILL_AFTER_S + 1
    tick(later)  # SIGKILL
    wait_until(lambda: has_ended(consumer))
    tick(later)
    (record,) = transport.browse(State.FAILED)
    assert record.error_class == "TaskTimeout"
    assert "its message ran past its timeout" in str(record.error)

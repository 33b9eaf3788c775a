"""An import in slices, by real consumers that live for a second or two, and may for a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq import Retry
from tests.supervisor.project import CONFIG, Project
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cronq.tasks.ref import Ref

ROWS = 300
TASKS = f"""
import os, time
from cronq import App, Context
from cronq.consumer import slices

slices.MARGIN, slices.MOST_MARGIN_S = 0.98, 60.0  # of a minute: what comes after the last look may take very long

app = App.from_config("cronq.toml")
HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, text):
    with open(f"{{HERE}}/{{name}}", "a") as file:
        file.write(text + "\\n")


def import_rows(context: Context) -> object:
    begun = context.cursor or 0
    for number in range(begun, {ROWS}):
        if context.should_stop:
            write("left_s", f"{{context.deadline - time.monotonic():.3f}}")
            return context.continue_later(number)
        time.sleep(0.01)
        write("rows", str(number))
        if number == begun + 7 and os.path.exists(f"{{HERE}}/kill"):
            os.remove(f"{{HERE}}/kill")
            write("killed", str(begun))
            os.kill(os.getpid(), 9)


app.task(name="tasks.plain")(import_rows)
app.task(name="tasks.alone", isolated=True)(import_rows)
"""


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    project = Project(home)
    project.write("cronq.toml", CONFIG.replace("10m", "60s"))
    project.write("tasks.py", TASKS)
    for name in ("plain", "alone"):
        project.app.task(name=f"tasks.{name}", retry=Retry(max_attempts=3, delay_s=0))(lambda: None)
    yield project
    project.kill_all()


def until_done(project: Project, ref: Ref[object]) -> None:
    """Tick as cron would, only more often: consumers come and go."""

    def is_done() -> bool:
        project.tick()
        return ref.status == "gone"

    wait_until(is_done, 120)


@pytest.mark.parametrize("task", ["plain", "alone"])
def test_every_slice_ends_in_time_and_no_row_is_lost_or_repeated(project, task):
    ref = project.enqueue(task)
    until_done(project, ref)
    assert project.read("rows") == [str(number) for number in range(ROWS)]
    left = [float(line) for line in project.read("left_s")]
    assert len(left) >= 2
    assert min(left) > 0


@pytest.mark.slow
def test_a_kill_repeats_no_more_than_the_rows_since_the_last_cursor(project):
    ref = project.enqueue("plain")
    wait_until(lambda: project.tick() == "" and project.read("left_s"), 120)
    project.touch("kill")
    until_done(project, ref)
    cursor = int(project.read("killed")[0])
    assert cursor > 0
    assert list(map(int, project.read("rows"))) == [*range(cursor + 8), *range(cursor, ROWS)]

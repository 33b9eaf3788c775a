"""Controls: faults planted into cronq from outside (`sabotage`), which the kill sweep and the chaos must report.

Each as the fault it is, and as no other: a harness that says "something is wrong" may have seen something else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reliability import strace
from tests.reliability.scenario import CONSUME, ROLES, TASKS, Project, Role
from tests.reliability.sweep import Sweeper, compile_all
from tests.reliability.test_chaos import MISSING as MISSING_FOR_CHAOS

if TYPE_CHECKING:
    from tests.reliability.sweep import Outcome

SABOTAGE = Path(__file__).with_name("sabotage")
pytestmark = pytest.mark.slow


# the kill sweep


@pytest.fixture(autouse=True)
def _compiled() -> None:
    compile_all()


def kill_in_the_middle(role: Role, syscall: str, home: Path) -> list[Outcome]:
    """Kill a role twice, half way through its calls of one kind, and at the next of them."""
    sweeper = Sweeper(role, home)
    points = [point for point in sweeper.points if point.syscall == syscall]
    outcomes = [sweeper.kill_at(point) for point in points[len(points) // 2 :][:2]]
    assert all(outcome.was_killed for outcome in outcomes)
    return outcomes


def sabotage(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SABOTAGE))
    monkeypatch.setenv("SABOTAGE", name)


needs_strace = pytest.mark.skipif(strace.what_is_missing() is not None, reason=str(strace.what_is_missing()))
role_named = {role.name: role for role in ROLES}


@needs_strace
def test_the_sweep_sees_a_loss(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, "acks_before_it_runs")
    outcomes = kill_in_the_middle(role_named["consumer"], "write", home)
    for found in outcomes:
        assert found.faults == (f"lost: {', '.join(found.verdict.lost)}",)
    # What had failed is lost in each; what was running when the kill came in one at least, the other may be a log line.
    assert any(label.startswith("quick") for found in outcomes for label in found.verdict.lost)


@needs_strace
def test_the_sweep_sees_more_repeated_than_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, "drops_acks")
    for found in kill_in_the_middle(role_named["consumer"], "write", home):
        assert len(set(found.verdict.repeated)) > 20
        assert found.faults == (f"1 kills repeated {', '.join(found.verdict.repeated)}", "ack_first was run twice")


@needs_strace
def test_the_sweep_sees_a_file_left_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, "leaves_half_written_files")
    for found in kill_in_the_middle(role_named["tick, rescuing"], "write", home):
        assert {fault.partition(" ")[2] for fault in found.faults} == {"has stayed"}


HOLD = """
@app.task(queue="high")
def hold(label: str) -> None:
    others = at_it(label)
    with noted(label):
        if others:
            open("go", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.005)
"""

TICK_WHILE_IT_RUNS = """
import os, runpy, sys, time
while not os.path.exists("ran"):
    time.sleep(0.005)
sys.argv = ["cronq", "tick"]
runpy.run_module("cronq", run_name="__main__")
"""


def held(home: Path) -> Project:
    """One message, which runs until another process is at it as well."""
    project = Project.make(home)
    (home / "tasks.py").write_text(TASKS + HOLD)
    (home / "late_tick.py").write_text(TICK_WHILE_IT_RUNS)
    project.run("-c", "import tasks; tasks.hold.enqueue('held')")
    (home / "returned").write_text("held\n")
    return project


@needs_strace
def test_the_sweep_sees_two_at_one_message(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(monkeypatch, "believes_the_living_dead")
    # So many kills, because every tick is as good as one here: it may repeat the message.
    role = Role("tick beside a message", ("late_tick.py",), held, kills=9, beside=CONSUME)
    for found in kill_in_the_middle(role, "fcntl", home):
        assert set(found.verdict.overlapping) == {"held"}
        assert found.faults == (f"run by two at once: {', '.join(found.verdict.overlapping)}",)


# the chaos

LOST, OVERLAPPING, REPEATED = "lost", "run by two at once", "run again without a kill"
SEEN_AS = {
    "acks_before_it_runs": (LOST, set()),
    # What the living go on with ends twice, and their notes speak for what another has reserved by then.
    "believes_the_living_dead": (OVERLAPPING, {REPEATED, LOST}),
    "drops_acks": (REPEATED, set()),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk of its own and be another user")
@pytest.mark.skipif(bool(MISSING_FOR_CHAOS), reason=f"needs {MISSING_FOR_CHAOS}")
def test_the_chaos_sees_each_fault_as_what_it_is(home: Path) -> None:
    """All at the same time: most of it is waiting."""
    runs = {
        name: subprocess.Popen(
            [sys.executable, "-m", "tests.reliability.chaos", "6", "300"],
            env={**os.environ, "PYTHONPATH": str(SABOTAGE), "SABOTAGE": name, "HOME": str(home)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in SEEN_AS
    }
    for name, said in {name: run.communicate(timeout=2400)[0] for name, run in runs.items()}.items():
        seen = {line.partition(":")[0] for line in said.partition(" asked: ")[2].splitlines()[1:]} - {""}
        meant, following = SEEN_AS[name]
        assert meant in seen, f"{name}: {said}"
        assert {kind for kind in seen if not kind.startswith("kept in ")} <= {meant} | following, f"{name}: {said}"

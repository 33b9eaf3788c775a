"""The other ways to tick, what an idle tick may cost, and consumers that will not end by themselves."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from typing import Any

import pytest

from cronq.supervisor import backoff, slots
from tests.supervisor.project import CONFIG, SUCCEEDED, Project
from tests.waiting import has_ended, wait_until

EXPENSIVE = {
    "click", "psutil", "filelock", "sqlite_utils", "msgspec", "blinker", "croniter", "dataclasses", "inspect", "json",
    "logging", "pathlib", "subprocess", "threading.local", "cronq.app", "cronq.supervisor.spawn", "tasks",
}  # fmt: skip

DEAF = '''
import signal
from tests_app import app

@app.task(timeout_s=0.2)
def deaf() -> None:
    """Block the alarm and the polite signals: what a C extension that never returns looks like from outside."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGTERM})
    open("deaf", "w").close()
    while True:
        signal.sigtimedwait([signal.SIGUSR1], 60)
'''


@pytest.fixture
def project(home):
    made = Project(home)
    yield made
    made.kill_all()


def cronq(project: Project, *words: str, **options: Any) -> subprocess.Popen[str]:
    process: subprocess.Popen[str] = subprocess.Popen(
        [*project.command(*words), "--config", project.config],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )
    return process


def imported_by_a_tick(project) -> set[str]:
    words = ["tick", "--config", project.config]
    code = f"import sys; from cronq.cli.entry import run; run({words}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_an_idle_tick_imports_nothing_expensive(project):
    project.write("cronq.toml", CONFIG.replace("2s", "60s"))
    project.started()
    assert EXPENSIVE.intersection(imported_by_a_tick(project)) == set()


def test_an_idle_tick_whose_configuration_is_remembered_does_without_typing(project):
    project.write("cronq.toml", CONFIG.replace("2s", "60s") + DAILY)
    project.started()
    wait_until(lambda: {"typing", "re", "tomllib"}.isdisjoint(imported_by_a_tick(project)))


DAILY = f"""
[schedule.daily]
task = "tasks.note"
cron = "0 {(time.gmtime().tm_hour + 12) % 24} * * *"
tz = "UTC"
args = {{ text = "daily" }}
"""  # half a day from now: it does not come due by itself while a test runs


def test_an_idle_tick_with_schedules_compares_numbers_only(project):
    project.write("cronq.toml", CONFIG.replace("2s", "60s") + DAILY)
    project.started()
    assert (EXPENSIVE | {"zoneinfo", "cronq.schedules.times"}).intersection(imported_by_a_tick(project)) == set()
    assert [one.name for one in project.app.transport.schedules()] == ["daily"]


def test_a_due_schedule_is_enqueued_by_one_of_many_ticks_and_run(project):
    project.write("cronq.toml", CONFIG + DAILY.replace("tz", "missed = 'all'\ntz"))
    project.started()
    make_due(project)
    assert "schedule daily: enqueue 2 messages" in cronq(project, "tick", "--dry-run").communicate(timeout=120)[0]
    ticks = [cronq(project, "tick") for _ in range(4)]
    assert [tick.communicate(timeout=120)[0] for tick in ticks] == [""] * 4
    wait_until(lambda: len(project.read("ran")) >= 2)
    project.tick()
    assert (project.read("ran"), project.log().count("schedule daily: enqueued")) == (["daily"] * 2, 1)


def make_due(project: Project) -> None:
    """Set the next time, half a day from now, back by two days, as if no tick had come since."""
    database = sqlite3.connect(f"{project.state.path}/queue.db", isolation_level=None)
    database.execute("UPDATE schedules SET next_at = next_at - 2 * 86400")
    database.close()


def test_an_idle_tick_writes_nothing_into_the_database(project):
    project.write("cronq.toml", CONFIG.replace("2s", "60s"))
    project.started()
    wait_until(lambda: os.path.exists(project.state.alive("normal")))  # it has looked at its queues
    before = os.stat(f"{project.state.path}/queue.db-wal").st_mtime_ns
    project.tick()
    assert os.stat(f"{project.state.path}/queue.db-wal").st_mtime_ns == before


def test_waiting_stays_until_its_consumers_have_ended(project):
    waiting = cronq(project, "tick", "--wait")
    pid = project.consuming()
    assert waiting.poll() is None
    os.kill(pid, signal.SIGTERM)
    assert waiting.wait(120) == 0
    assert waiting.communicate()[0] == ""


def test_running_consumes_in_the_process_that_cron_started(project):
    running = cronq(project, "tick", "--run")
    assert project.consuming() == running.pid
    project.enqueue("note", "hello")
    wait_until(lambda: project.read("ran") == ["hello"])
    running.send_signal(signal.SIGTERM)
    assert running.wait(120) == 0
    assert running.communicate()[0] == ""


def test_running_leaves_at_once_where_enough_consumers_are(project):
    project.write("cronq.toml", CONFIG.replace("2s", "60s"))
    project.started()
    assert cronq(project, "tick", "--run").communicate(timeout=120)[0] == ""


def test_a_dry_run_prints_the_plan_and_does_nothing(project):
    text, _ = cronq(project, "tick", "--dry-run").communicate(timeout=120)
    assert "standby: 0 live, 1 wanted, 1 to start" in text
    assert not any(seen.is_live for seen in slots.survey(project.state))
    assert not os.path.exists(project.state.ticks)


@pytest.mark.slow
def test_a_message_that_outlives_its_timeout_and_signals_is_killed_by_the_ticks_and_comes_back(project):
    project.write("tests_app.py", 'from cronq import App\napp = App.from_config("cronq.toml")\n')
    project.write("tasks.py", f"from tests_app import app\n{DEAF}")
    pid = project.started()
    project.app.task(name="tasks.deaf")(lambda: None)
    project.enqueue("deaf")
    wait_until((project.home / "deaf").exists)
    wait_until(lambda: project.tick() == "" and has_ended(pid))
    assert "sent SIGTERM" in project.log()
    assert "sent SIGKILL" in project.log()
    wait_until(lambda: project.tick() == "" and "rescued from" in project.log())


def test_a_successor_that_cannot_start_is_not_tried_at_every_tick(project):
    project.write("cronq.toml", SUCCEEDED)
    project.started()
    project.write("tasks.py", "import nowhere_to_be_found")
    wait_until(lambda: project.tick() == "" and backoff.read(project.state.backoff("standby")).deaths)
    before = project.spawned()
    project.tick()
    assert project.spawned() == before


@pytest.mark.parametrize("mode", ["--wait", "--run"])
def test_the_other_modes_tell_of_a_damaged_queue_as_short_as_a_tick_does(project, mode):
    project.state.prepare()
    project.write(".cronq/queue.db", "this is no database" * 100)
    os.chmod(f"{project.state.path}/queue.db", 0o600)
    ticking = cronq(project, "tick", mode)
    text, _ = ticking.communicate(timeout=120)
    assert (ticking.returncode, text.count("\n"), "Traceback" in text) == (1, 2, False)

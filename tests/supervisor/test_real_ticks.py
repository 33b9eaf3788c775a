"""Ticks and consumers as they run on a host: real processes, real signals, real kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from cronq.host import locks, process
from cronq.messages.message import State
from cronq.supervisor import backoff, slots
from tests.presence import there
from tests.supervisor.project import CONFIG, SUCCEEDED, WOKEN, Project
from tests.waiting import has_ended, wait_until


@pytest.fixture
def project(home):
    made = Project(home)
    yield made
    made.kill_all()


def wait_for_lines(project: Project, *lines: str) -> None:
    wait_until(lambda: project.read("ran") == list(lines))


def test_the_first_tick_makes_everything_and_starts_the_standby(project):
    assert project.tick() == ""
    pid = project.consuming()
    assert os.path.exists(f"{project.state.path}/queue.db")
    assert project.slot().note.queues == ("high", "normal")
    assert process.runs(project.slot().note.holder)
    assert process.start_of(pid)


def test_a_second_tick_at_once_starts_nothing(project):
    project.write("cronq.toml", CONFIG.replace("2s", "60s"))
    project.started()
    project.tick()
    assert project.spawned() == 1


def test_ten_ticks_at_once_exceed_no_maximum(project):
    project.write(
        "cronq.toml",
        CONFIG.replace("max_processes = 4", "max_processes = 3").replace("2s", "60s")
        + '[[consumers]]\nname = "high"\nqueues = ["high"]\nautoscale = { desired_size = 1, min = 0, max = 9 }\n',
    )
    for number in range(20):
        project.enqueue("hold", f"gate{number}", queue="high")
    ticks = [
        subprocess.Popen(project.command("tick", "--config", project.config), stdout=subprocess.DEVNULL)
        for _ in range(10)
    ]
    assert {tick.wait(120) for tick in ticks} == {0}
    wait_until(lambda: len(project.read("ran")) == 3)
    project.tick()
    wait_until(lambda: len(project.processes()) == 3)  # one too many leaves when it finds no seat
    assert len({line.split()[2] for line in project.read("ran")}) == len(project.read("ran")) == 3


def test_consumers_that_start_at_once_exceed_no_maximum(project):
    """Whatever started them: several ticks, a burst, a web request."""
    project.write("cronq.toml", CONFIG.replace("max_processes = 4", "max_processes = 3").replace("max = 1", "max = 9"))
    for number in range(6):
        project.enqueue("hold", f"gate{number}")
    started = [subprocess.Popen(project.command("consume", "standby"), cwd=project.home) for _ in range(6)]
    wait_until(lambda: sum(one.poll() == 0 for one in started) >= 3)  # a busy one may have ticked, and started others
    wait_until(lambda: len(project.read("ran")) == 3)
    wait_until(lambda: len(project.processes()) == 3)
    assert len(project.read("ran")) == 3
    project.kill_all()
    for one in started:
        one.wait(60)


def test_an_enqueued_message_wakes_a_consumer_that_idles(project):
    project.write("cronq.toml", WOKEN)
    project.started()
    project.enqueue("note", "hello")
    wait_for_lines(project, "hello")
    wait_until(lambda: project.app.transport.counts() == [])


def test_an_idle_consumer_sleeps(project):
    """After a message, a shared batch and a timeout as well: see the signal's byte in the bell."""
    pid = project.started()
    for number in range(3):
        project.enqueue("note", str(number))
    wait_until(lambda: project.app.transport.counts() == [])
    before = cpu_ticks(pid)
    time.sleep(0.3)  # a span of idleness is what is measured here
    assert cpu_ticks(pid) - before <= 5


def cpu_ticks(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_killed_consumer_s_message_is_back_at_the_next_tick(project):
    pid = project.started()
    project.enqueue("hold", "gate")
    wait_for_lines(project, f"gate 1 {pid}")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    project.app.transport.pause("normal", paused=True)  # so nobody runs it before it was looked at
    project.tick()
    (record,) = project.app.transport.browse(State.READY)
    assert record.message.attempt == 1
    assert "died while running it" in record.error
    project.app.transport.pause("normal", paused=False)
    project.touch("gate")
    wait_until(lambda: project.tick() == "" and "gate done" in project.read("ran"))
    assert [line.split()[1] for line in project.read("ran")] == ["1", "2", "done"]


def test_what_had_finished_in_a_killed_batch_is_not_run_again(project):
    pid = project.started()
    for number in range(40):
        project.enqueue("note", str(number))
    project.enqueue("hold", "gate")
    for number in range(40, 80):
        project.enqueue("note", str(number))
    wait_until(lambda: f"gate 1 {pid}" in project.read("ran"))
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    project.touch("gate")
    wait_until(lambda: project.tick() == "" and project.app.transport.counts() == [])
    notes = [line for line in project.read("ran") if line.isdecimal()]
    assert sorted(notes, key=int) == [str(number) for number in range(80)]


def test_poison_that_kills_ends_in_the_failure_queue(project):
    project.enqueue("poison")
    project.enqueue("note", "after")
    wait_until(lambda: project.tick() == "" and project.fails_of("tasks.poison"))
    assert project.read("ran").count("poison") == 2
    (error,) = project.fails_of("tasks.poison")
    assert "died while running it: killed by a signal, or crashed; last seen at" in error
    wait_until(lambda: project.tick() == "" and "after" in project.read("ran"))


def test_a_successor_takes_over_without_a_gap(project):
    project.write("cronq.toml", SUCCEEDED)
    first = project.started()
    assert project.tick() == ""
    assert project.consuming(other_than=first)
    wait_until(lambda: has_ended(first))
    assert "SIGTERM received" in project.log()


def test_never_do_two_consume_in_one_slot(project):
    project.write("cronq.toml", SUCCEEDED)
    first = project.started()
    project.enqueue("hold", "gate")
    wait_for_lines(project, f"gate 1 {first}")
    project.enqueue("note", "next")
    wait_until(lambda: project.tick() == "" and locks.holder_pid(project.state.successor("standby.0")))
    project.tick()
    wait_until(lambda: len(project.processes()) == 2)
    assert (project.consuming(), project.read("ran")) == (first, [f"gate 1 {first}"])
    project.touch("gate")
    wait_for_lines(project, f"gate 1 {first}", "gate done", "next")
    assert project.consuming(other_than=first)


def test_sigterm_finishes_the_current_message(project):
    pid = project.started()
    project.enqueue("hold", "gate")
    wait_for_lines(project, f"gate 1 {pid}")
    project.enqueue("note", "not by this one")
    os.kill(pid, signal.SIGTERM)
    project.touch("gate")
    wait_until(lambda: has_ended(pid))
    assert project.read("ran") == [f"gate 1 {pid}", "gate done"]
    assert (project.slot().note.state, project.slot().note.reason) == (slots.LEFT, "SIGTERM received")
    assert [counts[:4] for counts in project.app.transport.counts()] == [("normal", 1, 0, 0)]


def test_a_forked_child_does_not_keep_the_slot_of_its_dead_consumer(project):
    pid = project.started()
    project.enqueue("leave_a_child", "gate")
    wait_until(lambda: project.read("ran"))
    child = int(project.read("child")[0])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    assert not has_ended(child)
    assert wait_until(lambda: project.tick() == "" and project.slot().live_note) is not None
    assert project.consuming() != pid


def test_an_app_that_does_not_import_is_silent_for_cron_and_told_in_the_slot(project):
    project.write("tasks.py", "raise RuntimeError('no such table: shop')")
    assert project.tick() == ""
    wait_until(
        lambda: (
            (project.slot().note or project.slot())
            and project.slot().note is not None
            and project.slot().note.state == slots.BROKEN
        )
    )
    assert project.slot().note.reason == "importing tasks:app failed: RuntimeError: no such table: shop"
    with open(project.state.output) as file:
        assert 'tasks.py", line 1' in file.read()


PRINTS = """
from cronq import App
app = App.from_config("cronq.toml")

@app.task
def note(text):
    print("said", text)
"""


def test_what_a_task_printed_is_there_at_once_and_survives_a_kill_of_its_consumer(project, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    project.write("tasks.py", PRINTS)
    pid = project.started()
    ref = project.enqueue("note", "hello")
    wait_until(lambda: ref.status == "gone")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    with open(project.state.output) as file:
        assert file.read() == "said hello\n"


def test_the_back_off_doubles_while_an_app_does_not_import(project):
    project.write("tasks.py", "raise RuntimeError('no')")
    for deaths in (1, 2):
        before = project.spawned() if os.path.exists(project.state.log) else 0
        wait_until(lambda: project.tick() == "" and project.spawned() > before)  # noqa: B023
        wait_until(lambda: not project.processes())
        project.tick(code=1 if deaths == 1 else 0)  # it is told once
        found = backoff.read(project.state.backoff("standby"))
        assert found.deaths == deaths
    assert "died young 2 times: next start in 3 s" in project.log()


def test_a_consumer_whose_run_directory_was_deleted_counts_until_it_has_left_and_repeats_nothing(project):
    import shutil

    project.write("cronq.toml", CONFIG.replace("autoscale", 'sleep = "0.2s"\nautoscale'))
    first = project.started()
    project.enqueue("hold", "gate")
    wait_for_lines(project, f"gate 1 {first}")
    shutil.rmtree(project.state.run)
    project.tick()
    project.tick()
    assert project.spawned() == 1
    project.touch("gate")
    wait_until(lambda: has_ended(first))
    project.tick()
    assert project.consuming() != first
    wait_until(lambda: project.app.transport.counts() == [])
    assert project.read("ran") == [f"gate 1 {first}", "gate done"]
    assert "was removed or replaced" in project.log()


def test_a_lock_around_the_tick_is_free_the_moment_it_returns(project):
    lock = str(project.home / "cron.lock")
    command = ["flock", "-n", lock, *project.command("tick", "--config", project.config)]
    subprocess.run(command, check=True, timeout=120)
    assert project.consuming()
    subprocess.run(["flock", "-n", lock, "true"], check=True, timeout=120)


def test_a_pipe_to_cron_closes_when_the_tick_returns(project):
    tick = subprocess.Popen(
        project.command("tick", "--config", project.config), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    pipe = there(tick.stdout)
    assert pipe.read() == b""
    assert tick.wait(60) == 0
    pipe.close()
    assert not has_ended(project.consuming())


def test_a_tick_leaves_while_a_consumer_is_in_the_middle_of_a_message(project):
    pid = project.started()
    project.enqueue("hold", "gate")
    wait_for_lines(project, f"gate 1 {pid}")
    project.tick()
    assert not has_ended(pid)


OTHERS_WAIT_AN_HOUR = """
import sys
from cronq.transports.sqlite import connection
connection.BUSY_TIMEOUT_S = 3600.0
from cronq.cli.entry import run
sys.exit(run(sys.argv[1:]))
"""


def test_a_tick_waits_for_no_lock_as_long_as_others_do(project):
    import sqlite3

    pid = project.started()
    project.enqueue("hold", "gate")
    wait_for_lines(project, f"gate 1 {pid}")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))
    other = sqlite3.connect(f"{project.state.path}/queue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    ticking = [sys.executable, "-c", OTHERS_WAIT_AN_HOUR, "tick", "--config", project.config]
    assert subprocess.run(ticking, check=False, timeout=120).returncode == 0
    other.close()


def test_a_clock_that_was_set_back_an_hour_changes_nothing(project):
    project.started()
    ahead = time.time() + 3600
    with open(project.state.ticks, "w") as file:
        file.writelines(f"{ahead + 60 * number:.3f}\n" for number in range(5))
    assert project.tick() == ""
    with open(project.state.ticks) as file:
        assert len(file.readlines()) == 1


def test_a_damaged_queue_is_told_once(project):
    project.tick()
    project.kill_all()
    for name in ("queue.db-wal", "queue.db-shm"):
        (project.home / ".cronq" / name).unlink(missing_ok=True)
    (project.home / ".cronq" / "queue.db").write_bytes(b"garbage " * 2000)
    said = project.tick(code=1)
    assert said.startswith(f"cronq tick: {project.state.path}/queue.db: ")
    assert "Traceback" not in said
    assert len(said) < 400
    assert project.tick() == ""


def test_what_the_state_directory_cannot_remember_is_told_once_too(project):
    project.tick()
    project.kill_all()
    for name in ("queue.db-wal", "queue.db-shm"):
        (project.home / ".cronq" / name).unlink(missing_ok=True)
    (project.home / ".cronq" / "queue.db").write_bytes(b"garbage " * 2000)
    (project.home / ".cronq" / "told").unlink()
    (project.home / ".cronq" / "told").mkdir()
    said = project.tick(code=1)
    assert said.startswith(f"cronq tick: {project.state.path}/queue.db: ")
    assert "Traceback" not in said
    assert project.tick() == ""
    (project.home / ".cronq" / "queue.db").unlink()
    assert "well again after " in project.tick(code=1)


def test_what_nothing_can_remember_is_told_every_time(project):
    """As on a disk that has become read-only."""
    project.tick()
    project.kill_all()
    (project.home / ".cronq" / "told").unlink()
    (project.home / ".cronq" / "told").mkdir()
    (project.home / "__pycache__" / "cronq.toml.told").mkdir(parents=True)
    (project.home / ".cronq" / "ticks").unlink()
    (project.home / ".cronq" / "ticks").mkdir()
    said = project.tick(code=1)
    assert said.startswith(f"cronq tick: {project.state.path}/ticks")
    assert "Errno" not in said
    assert project.tick(code=1).splitlines()[1:] == said.splitlines()[1:]


def test_a_wrong_config_is_told_once(project):
    project.write("cronq.toml", "max_processes = 0\n")
    said = project.tick(code=1)
    assert "max_processes" in said
    assert "Traceback" not in said
    assert project.tick() == ""


def test_a_tick_takes_no_secret_into_the_argv_of_a_consumer(project, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cret")
    pid = project.started()
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        words = file.read().split(b"\0")[1:-1]
    assert words == [b"-m", b"cronq", b"consume", b"standby"]


def test_a_consumer_gives_way_to_web_requests(project):
    assert os.getpriority(os.PRIO_PROCESS, project.started()) >= 10


TOLD_AT_ONCE = """
import os, signal, sys
from cronq.cli.entry import main
from cronq.supervisor.slots import Slot

begin = Slot.begin

def begin_and_be_told(slot, *words):
    begin(slot, *words)
    os.kill(os.getpid(), signal.SIGTERM)

Slot.begin = begin_and_be_told
main()
"""


def test_a_consumer_told_to_leave_as_soon_as_its_name_is_known_leaves_in_order(project):
    consuming = [sys.executable, "-c", TOLD_AT_ONCE, "consume", "standby", "--config", project.config]
    done = subprocess.run(consuming, check=False, cwd=project.home, timeout=120)
    assert done.returncode == 0
    assert (project.slot().note.state, project.slot().note.reason) == (slots.LEFT, "SIGTERM received while it started")


def test_a_consumer_told_to_leave_while_it_starts_has_not_died_young(project):
    """`cronq stop` after a deployment: the next tick starts new consumers, it does not back off."""
    waits = "\nwrite('ran', 'importing')\nwhile not os.path.exists(f'{HERE}/go'): time.sleep(0.005)\n"
    project.write("tasks.py", (project.home / "tasks.py").read_text() + waits)
    project.tick()
    wait_for_lines(project, "importing")
    pid = project.slot().pid
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: has_ended(pid))
    assert project.slot().note.state == slots.LEFT
    project.touch("go")
    project.tick()
    assert project.consuming() != pid
    assert backoff.read(project.state.backoff("standby")).deaths == 0


def test_a_queue_that_the_file_pauses_is_not_served_and_starts_nobody(project):
    project.write("cronq.toml", CONFIG.replace("min = 1", "min = 0") + "[queues.high]\npaused = true\n")
    project.enqueue("note", "waits", queue="high")
    project.tick()
    assert project.spawned() == 0
    project.enqueue("note", "runs", queue="normal")
    project.tick()
    wait_for_lines(project, "runs")
    shown = subprocess.run(
        project.command("status", "--config", project.config), capture_output=True, text=True, check=False
    )
    assert any(line.split()[:2] == ["high", "1"] and line.endswith("paused") for line in shown.stdout.splitlines())

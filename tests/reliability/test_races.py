"""Races between processes that are not cronq's own idea: strangers, leftovers, twins."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cronq.host import process
from tests.supervisor.project import CONFIG, TASKS, Project
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHILDREN = {
    "os.fork": "child = os.fork()\n    if child == 0:\n        time.sleep(600)\n        os._exit(0)",
    "multiprocessing": (
        "import multiprocessing\n"
        "    started = multiprocessing.get_context('fork').Process(target=time.sleep, args=(600,))\n"
        "    started.start()\n"
        "    child = started.pid"
    ),
    "subprocess": "import subprocess\n    child = subprocess.Popen(['sleep', '600'], close_fds=False).pid",
}
LEAVES = """

@app.task(name="tasks.leaves", retry=Retry(max_attempts=5, delay_s=0))
def leaves(name: str, context: Context) -> None:
    {child}
    write("child", str(child))
    hold.function(name, context)
"""


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    yield made
    made.kill_all()


@pytest.mark.parametrize("way", CHILDREN)
def test_a_child_that_a_task_left_behind_keeps_nothing_of_its_killed_consumer(project: Project, way: str) -> None:
    project.write("tasks.py", TASKS + LEAVES.format(child=CHILDREN[way]))
    project.app.task(name="tasks.leaves")(lambda name: None)
    pid = project.started()
    project.enqueue("leaves", "gate")
    wait_until(lambda: project.read("ran"))
    child = int(project.read("child")[0])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: has_ended(pid))

    assert not has_ended(child)
    project.touch("gate")
    wait_until(lambda: project.tick() == "" and "gate done" in project.read("ran"))
    assert project.consuming(other_than=pid)


def test_two_installations_on_one_state_directory_exceed_no_maximum_and_run_nothing_twice(
    project: Project, home: Path
) -> None:
    other = home / "other"
    other.mkdir()
    (other / "tasks.py").symlink_to(home / "tasks.py")
    text = CONFIG.replace("2s", "60s").replace("max = 1 }", "max = 2 }")
    project.write("cronq.toml", text)
    (other / "cronq.toml").write_text(
        f'state_dir = "{home}/.cronq"\ntransport = "sqlite:///{home}/.cronq/queue.db"' + text
    )
    for number in range(20):
        project.enqueue("note", str(number))
    configs = [project.config, str(other / "cronq.toml")]
    ticks = [
        subprocess.Popen([sys.executable, "-m", "cronq", "tick", "--config", config], cwd="/", stdin=subprocess.DEVNULL)
        for config in configs * 5
    ]
    assert [tick.wait(120) for tick in ticks] == [0] * 10

    def ran() -> list[str]:
        return project.read("ran") + project.read("other/ran")  # whose tick was first has its consumers run them

    wait_until(lambda: len(ran()) == 20)
    assert sorted(ran(), key=int) == [str(number) for number in range(20)]
    assert 1 <= len(re.findall(r" consumes ", project.log())) <= 2


def test_a_made_up_slot_naming_a_living_stranger_is_never_signalled_nor_counted(project: Project) -> None:
    """Its pid, start and boot are all true: only the lock is missing, and that is what counts."""
    project.started()
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        real = project.slot().note
        assert real is not None
        holder = real.holder._replace(slot="standby.1", pid=stranger.pid, started=process.start_of(stranger.pid) or 0)
        path = project.state.slot("standby.1")
        with open(project.state.slot("standby.0"), "rb") as file:
            text = file.read()
        text = text.replace(str(real.holder).encode(), str(holder).encode())
        text = text.replace(f"pid {real.holder.pid}".encode(), f"pid {holder.pid}".encode())
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(text)

        assert project.slot("standby.1").live_note is None
        project.tick()
        status = subprocess.run(
            project.command("status", "--json", "--config", project.config), capture_output=True, text=True, check=False
        )
        assert "standby.1" not in status.stdout
        subprocess.run(project.command("stop", "--config", project.config), capture_output=True, check=True)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.slow
def test_a_consumer_whose_slot_file_is_gone_finishes_its_message_still_counts_and_then_leaves(project: Project) -> None:
    pid = project.started()
    project.enqueue("hold", "gate")
    wait_until(lambda: project.read("ran"))
    path = project.state.slot("standby.0")
    os.rename(path, f"{path}.old")
    project.tick()
    project.tick()

    assert project.spawned() == 1
    project.touch("gate")
    wait_until(lambda: has_ended(pid))
    assert project.started() != pid
    assert [line for line in project.read("ran") if line.endswith("done")] == ["gate done"]

"""What runs for long stays as it was: memory, descriptors, files, zombies. CRONQ_LEAKS=200000 for the whole run."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median
from typing import TYPE_CHECKING

import psutil
import pytest

from cronq.supervisor.slots import CONSUMING
from tests.supervisor.project import Project
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SIZE = int(os.environ.get("CRONQ_LEAKS", "6000"))
TICKS = max(30, SIZE // 100)
GROWTH_MB = 2.0
LOG_BYTES = 2 * 1024 * 1024  # log_max_mb, of each of two logs
DATABASE_BYTES = 4 * 1024 * 1024  # the write-ahead log, before it is used again from its beginning

LOOK = """
import gc, os
from cronq.host.process import memory_mb

def look():
    gc.collect()
    files = sum(len(names) for _, _, names in os.walk(".cronq"))
    zombies = sum(1 for pid in os.listdir("/proc") if pid.isdecimal() and is_zombie(pid))
    return [memory_mb(), len(os.listdir("/proc/self/fd")), files, zombies]

def is_zombie(pid):
    try:
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] == "Z" and fields[1] == str(os.getpid())
"""

TASKS = """
from cronq import App, Context
from look import look
app = App.from_config("cronq.toml")

@app.task
def note(number: int) -> None:
    if number in (SIZE // 2, SIZE - 1):
        print(*look(), flush=True, file=open("looks", "a"))
"""

SITE = """
import sys, tasks
from look import look
from wsgi_hooks import CronqMiddleware

def site(environ, start_response):
    tasks.note.enqueue(-1)
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"hi"]

hooked = CronqMiddleware(site, tasks.app)
environ = {"REQUEST_METHOD": "GET", "SERVER_SOFTWARE": "WSGIServer/0.2", "SERVER_PROTOCOL": "HTTP/1.1"}
for number in range(SIZE):
    body = hooked(dict(environ), lambda status, headers: None)
    list(body)
    if hasattr(body, "close"):
        body.close()
    if number in (SIZE // 2, SIZE - 1):
        print(*look(), flush=True, file=open("looks", "a"))
assert tasks.app.transport.depth(["normal"], 1) == 0
"""

CONFIG = """
app = "tasks:app"
durability = "normal"
interval = "60s"
[[consumers]]
name = "work"
queues = ["normal"]
time_limit = "50m"
autoscale = { desired_size = 1000000, min = 0, max = 1 }
[inline]
mode = "inline"
"""

TICK = """
import sys
from cronq.cli.entry import run
code = run(["tick", "--config", sys.argv[1]])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
sys.exit(code)
"""
TICKING = """
app = "tasks:app"
interval = "1s"
[[consumers]]
name = "standby"
queues = ["high", "normal"]
time_limit = "1s"
autoscale = { desired_size = 1, min = 1, max = 1 }
"""


@pytest.fixture
def project(home: Path) -> Iterator[Project]:
    made = Project(home)
    for name, text in {"cronq.toml": CONFIG, "look.py": LOOK, "tasks.py": TASKS, "site_.py": SITE}.items():
        made.write(name, text.replace("SIZE", str(SIZE)))
    yield made
    made.kill_all()


def is_flat(project: Project) -> None:
    """Compare the look in the middle of a run with that at its end."""
    middle, end = ([float(word) for word in line.split()] for line in project.read("looks"))
    print(f"{SIZE}: memory MB, descriptors, files, zombies: {middle} in the middle, {end} at the end")
    assert end[0] - middle[0] < GROWTH_MB
    assert end[1] <= middle[1] + 1
    assert end[2] <= middle[2] + 2
    assert end[3] == middle[3] == 0


def run(project: Project, *words: str) -> None:
    subprocess.run([sys.executable, *words], cwd=project.home, check=True, timeout=3600)


def test_a_consumer_of_many_messages_stays_as_it_was(project: Project) -> None:
    many = f"import tasks; tasks.note.enqueue_many([((number,), {{}}) for number in range({SIZE})])"
    run(project, "-c", many)
    run(project, "-m", "cronq", "consume", "work", "--stop-when-empty")

    is_flat(project)


def test_a_web_process_of_many_requests_with_inline_work_stays_as_it_was(project: Project) -> None:
    run(project, "site_.py")

    is_flat(project)


def test_many_ticks_leave_nothing_behind(home: Path) -> None:
    """With a consumer that hands over all the time, and a message now and then."""
    ticking = Project(home)
    ticking.write("cronq.toml", TICKING)
    peaks_mb, looks = [], []
    try:
        for number in range(TICKS):
            if number % 10 == 0:
                ticking.enqueue("note", str(number))
            peaks_mb.append(_tick(ticking))
            if number in (TICKS // 2, TICKS - 1):
                looks.append(_look(ticking, peaks_mb))
    finally:
        ticking.kill_all()

    middle, end = looks
    print(f"{TICKS} ticks: memory MB at its peak, bytes, files, zombies: {middle} in the middle, {end} at the end")
    assert end[0] - middle[0] < GROWTH_MB
    assert end[1] - middle[1] < LOG_BYTES + DATABASE_BYTES
    assert end[2] <= middle[2] + 2
    assert end[3] == middle[3] == 0


def _tick(project: Project) -> float:
    """Tick, and return how large the process had been, in MB."""
    argv = [sys.executable, "-c", TICK, project.config]
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return int(done.stdout) / 1024


def _is_attended(project: Project) -> bool:
    note = project.slot().live_note
    return note is not None and note.state == CONSUMING


def _look(project: Project, peaks_mb: list[float]) -> list[float]:
    """Return the median peak of the last ticks, the bytes and files in the state directory, the zombies of anybody."""
    wait_until(lambda: _tick(project) and _is_attended(project))  # a consumer may have left since the last tick
    files = [path for path in (project.home / ".cronq").rglob("*") if path.is_file() and path.suffix != ".new"]
    parents = {*project.processes(), os.getpid()}
    zombies = [one for one in psutil.process_iter(["ppid", "status"]) if one.info["status"] == psutil.STATUS_ZOMBIE]
    left = [one.pid for one in zombies if one.info["ppid"] in parents]
    return [median(peaks_mb[-50:]), sum(path.stat().st_size for path in files), len(files), len(left)]

"""A project that is worked on and killed: its messages, its four roles, and getting over a kill."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING, NamedTuple

from cronq.host.process import send
from cronq.host.state_dir import NEW, StateDir, private_file
from cronq.supervisor import slots
from tests.reliability.checker import unsettled
from tests.reliability.strace import ENDED, points_of, run_and_kill_at
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.reliability.strace import Point

QUICK = tuple(f"quick{number}" for number in range(20))

CONFIG = """
app = "tasks:app"
interval = "2s"
max_processes = 3
log_max_mb = 1

[[consumers]]
name = "work"
queues = ["high", "normal"]
autoscale = { desired_size = SIZE, min = 0, max = 2 }

[inline]
mode = "inline"
grace_period = "1s"
"""

TASKS = '''
"""Every run writes down that it begins and ends, by whom, and whether another process is at the same message."""
import os, subprocess, sys, time
from contextlib import contextmanager
from cronq import App, Context, Retry

app = App.from_config("cronq.toml")
HERE = os.path.dirname(os.path.abspath(__file__))
RAN = os.path.join(HERE, "ran")


def write(*words):
    descriptor = os.open(RAN, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, (" ".join(map(str, words)) + "\\n").encode())
    os.close(descriptor)


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def at_it(label):
    at_it = set()
    if os.path.exists(RAN):
        for line in open(RAN).read().splitlines():
            verb, name, pid = line.split()
            if name == label:
                at_it.add(pid) if verb == "begin" else at_it.discard(pid)
    return [pid for pid in at_it if int(pid) != os.getpid() and lives(pid)]


@contextmanager
def noted(label):
    if at_it(label):
        write("overlap", label, os.getpid())
    write("begin", label, os.getpid())
    try:
        yield
    except ValueError:
        write("fail", label, os.getpid())
        raise
    write("end", label, os.getpid())


@app.task
def quick(label: str) -> None:
    with noted(label):
        pass


@app.task(retry=Retry(max_attempts=4, delay_s=0))
def flaky(label: str, context: Context) -> None:
    with noted(label):
        if context.attempt == 1:
            raise ValueError("the first attempt")


@app.task(ack_first=True)
def once(label: str) -> None:
    with noted(label):
        pass


@app.task(result_ttl_s=3600, queue="high")
def kept(label: str) -> str:
    with noted(label):
        if os.path.exists(os.path.join(HERE, "succeed")):
            start_successor()
        return label


def start_successor():
    """What the tick does to whoever ends soon. Return when it is on its way: it comes while other messages run."""
    quiet = {name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}
    subprocess.Popen([sys.executable, "-m", "cronq", "consume", "work.0"], **quiet)
    came_by = time.monotonic() + 60
    while not os.path.exists(os.path.join(HERE, ".cronq/run/work.0.next")) and time.monotonic() < came_by:
        time.sleep(0.002)
'''

PRODUCE = f"""
import os, tasks

def returned(*labels):
    descriptor = os.open("returned", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, "".join(label + "\\n" for label in labels).encode())
    os.close(descriptor)

quick = {QUICK!r}
tasks.quick.enqueue_many([((label,), {{}}) for label in quick])
returned(*quick)
for task in (tasks.flaky, tasks.once, tasks.kept):
    task.enqueue(task.name.removeprefix("tasks."))
    returned(task.name.removeprefix("tasks."))
"""

REQUEST = """
import tasks
from wsgi_hooks import CronqMiddleware

def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "2")])
    return [b"hi"]

environ = {"REQUEST_METHOD": "GET", "SERVER_SOFTWARE": "WSGIServer/0.2", "SERVER_PROTOCOL": "HTTP/1.1"}
body = CronqMiddleware(site, tasks.app)(environ, lambda status, headers: None)
if hasattr(body, "close"):
    body.close()
"""


class Project:
    """A directory with the project in it, and commands run there as cron, a web server or a person would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.state = StateDir(str(home / ".cronq"))
        known = {name: value for name, value in os.environ.items() if not name.startswith("CRONQ_")}
        self._beside: list[subprocess.Popen[bytes]] = []
        self.env = known | {"PYTHONDONTWRITEBYTECODE": "1", "CRONQ_CONFIG": str(home / "cronq.toml")}

    @classmethod
    def make(cls, home: Path, size: int = 1000) -> Project:
        home.mkdir(mode=0o700)
        texts = {"cronq.toml": CONFIG.replace("SIZE", str(size)), "tasks.py": TASKS}
        for name, text in {**texts, "produce.py": PRODUCE, "request.py": REQUEST}.items():
            (home / name).write_text(text)
        return cls(home)

    def copy(self, home: Path) -> Project:
        """Copy everything but the FIFOs, which consumers make anew."""
        shutil.copytree(self.home, home, ignore=shutil.ignore_patterns("wake"))
        return Project(home)

    def run(self, *words: str) -> None:
        command = [sys.executable, *words]
        done = subprocess.run(
            command, cwd=self.home, env=self.env, check=False, capture_output=True, text=True, timeout=300
        )
        assert done.returncode in ENDED, f"{words}: {done.returncode}: {done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr

    def tick(self) -> None:
        self.run(*TICK)

    def start(self, *words: str) -> None:
        """Start a command beside what is to be killed."""
        command = [sys.executable, *words]
        quiet = subprocess.DEVNULL
        beside = subprocess.Popen(command, cwd=self.home, env=self.env, stdin=quiet, stdout=quiet, stderr=quiet)
        self._beside.append(beside)

    def points(self, command: tuple[str, ...]) -> list[Point]:
        return points_of([sys.executable, *command], self.home, self.env, self.home.with_suffix(".trace"))

    def kill_at(self, point: Point, command: tuple[str, ...]) -> bool:
        return run_and_kill_at(point, [sys.executable, *command], self.home, self.env)

    def get_over_it(self) -> None:
        """What happens after a kill on a host: cron ticks, and consumers run. All leave in the end."""
        self.tick()
        self.run(*CONSUME)
        with closing(Unsettled(self)) as left:
            wait_until(left.are_none, 300)
        self.age_half_written()
        self.tick()
        self.end()

    def age_half_written(self) -> None:
        """A minute passes for the files that were being written when the kill came."""
        for path in self.half_written():
            os.utime(path, (path.stat().st_mtime - 120,) * 2)

    def half_written(self) -> list[Path]:
        return list((self.home / ".cronq").rglob(f"*{NEW}"))

    def end(self) -> None:
        """Ask this project's consumers to leave, and wait until all have: its slots are then free."""

        def are_free() -> bool:
            live = [seen for seen in slots.survey(self.state) if seen.is_live]
            for seen in live:
                if seen.live_note is not None:
                    send(seen.live_note.holder, signal.SIGTERM)
            return not live and not self.processes()

        wait_until(are_free, 120)

    def processes(self) -> list[int]:
        """All processes that work in this directory. Who is not among them any more has let go of its locks."""
        found = []
        for entry in os.listdir("/proc"):
            with suppress(OSError):
                if entry.isdecimal() and os.readlink(f"/proc/{entry}/cwd") == str(self.home):
                    found.append(int(entry))
        return found

    def kill_all(self) -> None:
        def are_killed() -> bool:
            pids = self.processes()
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return not pids

        wait_until(are_killed)
        for process in self._beside:
            process.wait(60)


class Unsettled:
    """Ticks from time to time while anything is left to do, as cron would."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._looks = 0

    def are_none(self) -> bool:
        self._looks += 1
        if not unsettled(self._project.home):
            return True
        if self._looks % 200 == 0:
            self._project.tick()
        return False

    def close(self) -> None:
        self._looks = 0


REQUESTED = ("request.py",)
TICK = ("-m", "cronq", "tick")
CONSUME = ("-m", "cronq", "consume", "work", "--stop-when-empty")
SUCCEED = ("-m", "cronq", "consume", "work.0")


class Role(NamedTuple):
    """Who is killed: what it runs, and what has happened in its project before.

    `kills` counts the kills in all, `beside` is a command that runs at the same time.
    """

    name: str
    command: tuple[str, ...]
    prepare: Callable[[Path], Project]
    kills: int = 1
    beside: tuple[str, ...] = ()


def fresh(home: Path) -> Project:
    """A project that nothing was ever enqueued in."""
    return Project.make(home)


def enqueued(home: Path) -> Project:
    project = Project.make(home)
    project.run("produce.py")
    return project


def enqueued_after_inline_work(home: Path) -> Project:
    """Its inline slot has the note of an earlier request, which finished many messages."""
    project = enqueued(home)
    project.run(*REQUESTED)
    (home / "ran").unlink()
    (home / "returned").unlink()
    with closing(sqlite3.connect(home / ".cronq" / "queue.db")) as connection:
        connection.execute("DELETE FROM messages")
        connection.commit()
    project.run("produce.py")
    return project


def enqueued_beyond_size(home: Path) -> Project:
    """A consumer that finds so much calls for help: it ticks, and a second one works beside it."""
    project = Project.make(home, size=5)
    project.run("produce.py")
    return project


def to_be_succeeded(home: Path) -> Project:
    """Its first message starts a successor."""
    project = enqueued(home)
    (home / "succeed").touch()
    return project


def deserted(home: Path) -> Project:
    """Its consumer was killed in the middle of a batch; there is a log to rotate, and a file that was half written."""
    project = enqueued(home)
    commits = [point for point in project.copy(home.with_suffix(".count")).points(CONSUME) if point.syscall == "write"]
    assert project.kill_at(commits[len(commits) // 2], CONSUME)
    with private_file(project.state.output, os.O_WRONLY | os.O_APPEND) as file:
        file.write(b"x" * 1_200_000)
    half = home / ".cronq" / f"ticks.99{NEW}"
    half.touch(0o600)
    os.utime(half, (0, 0))
    for mark in (home / ".cronq" / "alive").iterdir():
        os.utime(mark, (0, 0))
    return project


ROLES = (
    Role("producer", ("produce.py",), fresh),
    Role("consumer", CONSUME, enqueued),
    Role("consumer, bursting", CONSUME, enqueued_beyond_size),
    Role("consumer, rescuing", CONSUME, deserted, kills=2),
    Role("predecessor", CONSUME, to_be_succeeded),
    Role("successor", SUCCEED, enqueued, beside=CONSUME),
    Role("tick, rescuing", TICK, deserted, kills=2),
    Role("tick, starting", TICK, enqueued),
    Role("inline", REQUESTED, enqueued),
    Role("inline, again", REQUESTED, enqueued_after_inline_work),
    Role("inline, rescuing", REQUESTED, deserted, kills=2),
)

"""A deploy of this release over each older one: real old processes at work, the first tick migrates."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cronq.cli.commands import NAMES
from cronq.errors import TransportError
from cronq.supervisor import slots
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.version import VERSION
from tests.processes import answer, says
from tests.reliability import strace
from tests.reliability.checker import check
from tests.reliability.scenario import CONSUME, TASKS, TICK, Project, Role
from tests.reliability.sweep import IS_FULL, compile_all, sweep, table
from tests.transports.sqlite.dying import DYING
from tests.upgrade import releases
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.processes import Starting

MISSING = releases.what_is_missing()
pytestmark = pytest.mark.skipif(MISSING is not None, reason=str(MISSING))

TASKS_THAT_HOLD = (
    TASKS
    + """
@app.task(queue="high")
def hold(label: str) -> None:
    with noted(label):
        while not os.path.exists(os.path.join(HERE, "go")):
            time.sleep(0.005)
"""
)

WEB = """
import tasks
def enqueued(*labels):
    for label in labels:
        tasks.quick.enqueue(label)
        with open("returned", "a") as file:
            file.write(label + "\\n")
    say(" ".join(labels))
tasks.hold.enqueue("held")
enqueued("before1", "before2")
sys.stdin.readline()
enqueued("after1", "after2")
"""


class Old:
    """A project that was set up, and is worked on, by the code of an older schema version."""

    def __init__(self, version: int, home: Path) -> None:
        self.project = Project.make(home)
        (home / "tasks.py").write_text(TASKS_THAT_HOLD)
        path = f"{releases.unpack(version, home.with_name(f'{home.name}-code'))}:{home}"
        self.old = self.project.env | {"PYTHONPATH": path}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.project.home,
            env=self.old,
            check=False,
            capture_output=True,
            text=True,
            timeout=600,
        )

    def consumer(self) -> subprocess.Popen[bytes]:
        """Start a consumer of the old code, and return it when it is in the middle of the message that holds it."""
        command = [sys.executable, "-m", "cronq", "consume", "work"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(
            command, cwd=self.project.home, env=self.old, stdin=quiet, stdout=quiet, stderr=quiet
        )
        wait_until(lambda: "begin held" in self.ran())
        return process

    def ran(self) -> str:
        path = self.project.home / "ran"
        return path.read_text() if path.exists() else ""

    def version(self) -> int:
        with closing(sqlite3.connect(self.project.home / ".cronq" / "queue.db")) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _each_older() -> list[Any]:
    """Return the older schemas; all but the newest of them for the long run only, for there will be more and more."""
    *older, newest = releases.older() or [0]
    marked = [pytest.param(version, marks=pytest.mark.slow, id=f"version {version}") for version in older]
    return [*marked, pytest.param(newest, id=f"version {newest}")] if newest else []


@pytest.fixture(params=_each_older())
def old(request: pytest.FixtureRequest, home: Path):
    made = Old(request.param, home / "project")
    yield made
    made.project.kill_all()


def test_the_first_tick_migrates_while_a_consumer_and_a_web_process_of_the_old_code_go_on(
    old: Old, python: Starting
) -> None:
    web = python(WEB, cwd=old.project.home, env=old.old)
    assert says(web) == "before1 before2"
    consumer = old.consumer()
    before = old.version()

    old.project.tick()

    assert (before < VERSION, old.version()) == (True, VERSION)
    assert answer(web) == "after1 after2"
    (old.project.home / "go").touch()
    wait_until(lambda: "end after2" in old.ran())
    assert f"end held {consumer.pid}\n" in old.ran()
    old.project.get_over_it()
    assert consumer.wait(300) == 0
    verdict = check(old.project.home)
    assert (verdict.faults(kills=0), verdict.repeated) == ([], ())


def test_a_killed_consumer_of_the_old_code_is_rescued_by_a_tick_of_the_new(old: Old, python: Starting) -> None:
    web = python(WEB, cwd=old.project.home, env=old.old)
    assert says(web) == "before1 before2"
    consumer = old.consumer()
    for process in (web, consumer):
        process.kill()
    consumer.wait()
    (old.project.home / "go").touch()
    old.project.get_over_it()
    assert check(old.project.home).faults(kills=1) == []


def test_old_code_is_refused_with_the_reason_and_leaves(old: Old) -> None:
    """Not in a loop: a tick that cannot open the file starts nobody."""
    assert old.run("produce.py").returncode == 0
    old.project.tick()
    stop = [sys.executable, "-m", "cronq", "stop"]  # the new one's consumers have all places of the group
    subprocess.run(stop, cwd=old.project.home, env=old.project.env, check=True, capture_output=True)
    wait_until(lambda: not old.project.processes())
    for words in (("tick",), ("status",), ("consume", "work"), ("consume", "work.0")):
        done = old.run("-m", "cronq", *words)
        assert (done.returncode, "was written by a newer cronq" in done.stdout + done.stderr) == (1, True), (
            words,
            done,
        )
        assert "Traceback" not in done.stderr
    again = old.run("-m", "cronq", "tick")
    assert (again.returncode in {0, 1}, again.stderr) == (True, "")  # releases differ in what a repeated word is worth
    assert not any(seen.is_live and seen.note is None for seen in slots.survey(old.project.state))
    command = [sys.executable, "-m", "cronq", "tick"]
    well = subprocess.run(
        command, cwd=old.project.home, env=old.project.env, check=False, capture_output=True, text=True
    )
    assert well.stderr == "" or "well again" in well.stderr  # where the old one has told what was wrong
    old.project.get_over_it()
    assert check(old.project.home).faults(kills=0) == []


def test_a_kill_at_any_statement_of_a_migration_does_no_harm(old: Old, python: Starting) -> None:
    assert old.run("produce.py").returncode == 0
    with closing(sqlite3.connect(old.project.home / ".cronq" / "queue.db")) as connection:
        stored = connection.execute("SELECT id, queue, task, body FROM messages").fetchall()

        def copy(name: str) -> str:
            path = str(old.project.home / name)
            with closing(sqlite3.connect(path)) as made:
                connection.backup(made)
            os.chmod(path, 0o600)
            return path

        statements = 1000 - int(says(python(DYING, copy("whole.db"), "1000")))
        dying = [(path, python(DYING, path, str(n))) for n in range(0, statements, 3) for path in [copy(f"{n}.db")]]
    assert statements > 12
    for path, process in dying:
        assert process.wait(300) == -9
        transport = SqliteTransport(path)
        assert sum(one.ready for one in transport.counts()) == len(stored)
        transport.close()
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT id, queue, task, body FROM messages").fetchall() == stored
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_copy_of_an_older_release_is_restored(old: Old, home: Path) -> None:
    assert old.run("produce.py").returncode == 0
    kept, live = str(home / "kept.db"), str(home / "queue.db")
    with (
        closing(sqlite3.connect(old.project.home / ".cronq" / "queue.db")) as source,
        closing(sqlite3.connect(kept)) as target,
    ):
        source.backup(target)
        stored = source.execute("SELECT id, queue, task, body FROM messages").fetchall()
    transport = SqliteTransport(live)
    assert transport.restore(kept).waiting == len(stored)
    transport.close()
    with closing(sqlite3.connect(live)) as connection:
        assert connection.execute("SELECT id, queue, task, body FROM messages").fetchall() == stored
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


@pytest.mark.slow
@pytest.mark.skipif(strace.what_is_missing() is not None, reason=str(strace.what_is_missing()))
@pytest.mark.parametrize("version", releases.older())
def test_a_kill_at_any_call_of_the_tick_that_migrates_loses_nothing(version: int, home: Path) -> None:
    def enqueued_by_old_code(place: Path) -> Project:
        old = Old(version, place)
        assert old.run("produce.py").returncode == 0
        return old.project

    compile_all()
    role = Role(f"tick, migrating {version}", TICK, enqueued_by_old_code)
    found = sweep(role, home) if IS_FULL else sweep(role, home, 30, time.monotonic() + 10)
    print(f"\n{table(found)}")
    assert any(one.was_killed for one in found)
    assert {f"{one.point.syscall} {one.point.n}": one.faults for one in found if one.faults} == {}


# a file that is newer than this code


LOOKS_AT_QUEUES = {
    "status": (),
    "queues": ("list",),
    "schedule": ("list",),
    "messages": ("list",),
    "failed": ("list",),
    "tasks": ("list",),
    "enqueue": ("tasks.quick", "label"),
    "drain": (),
    "tick": (),
    "consume": ("work",),
    "backup": ("copy.db",),
    "restore": ("copy.db",),
    "check": (),
}


def newer(home: Path) -> Project:
    project = Project.make(home / "project")
    project.run("produce.py")
    with closing(sqlite3.connect(project.home / ".cronq" / "queue.db")) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    return project


def test_every_command_that_looks_at_the_queues_refuses_a_newer_file_with_the_reason(home: Path) -> None:
    project = newer(home)
    content = (project.home / ".cronq" / "queue.db").read_bytes()
    for name, words in LOOKS_AT_QUEUES.items():
        command = [sys.executable, "-m", "cronq", name, *words]
        done = subprocess.run(
            command, cwd=project.home, env=project.env, check=False, capture_output=True, text=True, timeout=600
        )
        assert (done.returncode, name) == (2 if name == "check" else 1, name)
        assert f"was written by a newer cronq (schema {VERSION + 1}, this one knows {VERSION})" in (
            done.stdout + done.stderr
        )
        assert "Traceback" not in done.stderr
    assert set(NAMES) - set(LOOKS_AT_QUEUES) == {"init", "crontab", "stop", "run", "completion"}
    assert (project.home / ".cronq" / "queue.db").read_bytes() == content


def test_consumers_that_cannot_open_the_file_are_started_less_and_less_often(home: Path) -> None:
    """A crontab of the new release, whose `python` is still the old one: every tick would start another."""
    from cronq.supervisor import backoff

    project = newer(home)
    for deaths in (1, 2, 3):
        with pytest.raises(AssertionError, match="newer cronq"):
            project.run(*CONSUME)
        assert backoff.read(project.state.backoff("work")).deaths == deaths


def test_the_refusal_is_no_pressure_so_nobody_tries_again(home: Path) -> None:
    transport = SqliteTransport(str(newer(home).home / ".cronq" / "queue.db"))
    with pytest.raises(TransportError) as caught:
        transport.counts()
    assert caught.value.pressure is False

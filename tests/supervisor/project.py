"""A project on disk with real consumers, for tests of whole ticks."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from cronq.app import App
from cronq.config import load
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.supervisor.slots import Seen
    from cronq.tasks.decorator import DeliveryOptions

CONFIG = """
app = "tasks:app"
interval = "2s"
max_processes = 4

[[consumers]]
name = "standby"
queues = ["high", "normal"]
time_limit = "10m"
autoscale = { desired_size = 1, min = 1, max = 1 }
"""
"""Ticks come often, and a consumer does not leave by itself while a slow machine gets to what a test does next."""

WOKEN = CONFIG.replace("autoscale", 'sleep = "10m"\nautoscale')
"""An idle consumer wakes only when it is woken."""

SUCCEEDED = CONFIG.replace("2s", "60s").replace("10m", "60s")
"""Every tick starts a successor at once, which has a minute to come before the consumer leaves by itself."""

HEAD = """
import os, time
from cronq import App, Context, PartlyFailed, Retry

app = App.from_config("cronq.toml")
HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, text):
    with open(f"{HERE}/{name}", "a") as file:
        file.write(text + "\\n")
"""
"""What the tasks of a project begin with. `write` adds a line to a file beside them."""

TASKS = (
    HEAD
    + '''

@app.task
def note(text: str) -> None:
    write("ran", text)


@app.task
def hold(name: str, context: Context) -> None:
    """Run until the file `name` is there."""
    write("ran", f"{name} {context.attempt} {os.getpid()}")
    while not os.path.exists(f"{HERE}/{name}"):
        time.sleep(0.005)
    write("ran", f"{name} done")


@app.task(retry=Retry(max_attempts=2))
def poison() -> None:
    write("ran", "poison")
    os.kill(os.getpid(), 9)


@app.task
def leave_a_child(name: str) -> None:
    child = os.fork()
    if child == 0:
        time.sleep(600)
        os._exit(0)
    write("child", str(child))
    hold.function(name, type("C", (), {"attempt": 0}))
'''
)


class Project:
    """`cronq tick` as cron calls it, and everything that a test wants to see."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = str(home / "cronq.toml")
        self.write("cronq.toml", CONFIG)
        self.write("tasks.py", TASKS)
        self.state = StateDir(str(home / ".cronq"))
        self._app: App | None = None

    def write(self, name: str, text: str) -> None:
        (self.home / name).write_text(textwrap.dedent(text))

    def touch(self, name: str) -> None:
        (self.home / name).touch()

    def read(self, name: str) -> list[str]:
        path = self.home / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def app(self) -> App:
        """The app as a web process would have it, with tasks of the same names."""
        if self._app is None:
            self._app = App(load(self.config, {}))
            functions: dict[str, Callable[..., None]] = {
                "note": lambda text: None,
                "hold": lambda name: None,
                "poison": lambda: None,
                "leave_a_child": lambda name: None,
            }
            for name, function in functions.items():
                self._app.task(name=f"tasks.{name}", retry=_twice() if name == "poison" else _often())(function)
        return self._app

    def enqueue(self, name: str, *args: object, **delivery: Unpack[DeliveryOptions]):
        return self.app.registry.get(f"tasks.{name}").using(**delivery).enqueue(*args)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "cronq", *words]

    def tick(self, code: int = 0) -> str:
        """Tick and return what cron would mail."""
        done = subprocess.run(
            self.command("tick", "--config", self.config),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd="/",
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def slot(self, name: str = "standby.0") -> Seen:
        return slots.see(self.state, name)

    def consuming(self, name: str = "standby.0", other_than: int | None = None) -> int:
        """Wait for a consumer in the slot that is not `other_than`, and return its pid."""

        def pid() -> int | None:
            note = self.slot(name).live_note
            return note.holder.pid if note and note.state == slots.CONSUMING and note.holder.pid != other_than else None

        return wait_until(pid)

    def started(self, name: str = "standby.0") -> int:
        """Tick, and return the pid of the standby, or of who is in another slot."""
        assert self.tick() == ""
        return self.consuming(name)

    def processes(self) -> list[int]:
        """All processes of this project, whatever they are doing.

        The dying as well until their directory is given up, which the kernel does after it has freed their locks.
        """
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdecimal() and os.readlink(f"/proc/{entry}/cwd") == str(self.home):
                    found.append(int(entry))
            except OSError:
                continue
        return [pid for pid in found if pid != os.getpid()]

    def log(self) -> str:
        return Path(self.state.log).read_text()

    def kill_all(self) -> None:
        if self._app is not None:
            self._app.transport.close()
        wait_until(self._are_killed)

    def _are_killed(self) -> bool:
        pids = self.processes()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not pids

    def fails_of(self, task: str) -> list[str]:
        from cronq.messages.message import State

        return [str(one.error) for one in self.app.transport.browse(State.FAILED) if one.message.task == task]

    def spawned(self) -> int:
        return len(re.findall("started a consumer", self.log())) if os.path.exists(self.state.log) else 0


def _twice():
    from cronq import Retry

    return Retry(max_attempts=2)


def _often():
    from cronq import Retry

    return Retry(max_attempts=5, delay_s=0)

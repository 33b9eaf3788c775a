"""A project in a home directory, with a shell in which `cronq` and a `crontab` program of our own are run."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cronq.app import App
from cronq.config import load
from cronq.host.process import send
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cronq.supervisor.slots import Seen

TASKS = '''
import os, time
from cronq import App, Retry

app = App.from_config("cronq.toml")

@app.task
def add(a: int, b: int = 1) -> int:
    return a + b

@app.task(queue="low", retry=Retry(max_attempts=1))
def boom(text: str) -> None:
    raise ValueError(text)

@app.task(queue="high")
def until_there(path: str) -> None:
    """Say that it runs, and end when the file is there."""
    open(path + ".begun", "w").close()
    while not os.path.exists(path):
        time.sleep(0.005)
'''

CRONTAB = """#!/bin/sh
# A crontab program in small: the table is the file `table` beside it, `broken` makes it fail, `slow` slow.
here=$(dirname "$0")
if [ -e "$here/broken" ]; then cat "$here/broken" >&2; exit 1; fi
case "$1" in
-l) if [ -e "$here/table" ]; then cat "$here/table"; else echo "no crontab for ada" >&2; exit 1; fi
    if [ -e "$here/slow" ]; then sleep 0.2; fi ;;
-)  cat > "$here/new.$$"
    if [ -s "$here/new.$$" ] && [ -n "$(tail -c 1 "$here/new.$$")" ]; then echo "no final newline" >&2; exit 1; fi
    mv "$here/new.$$" "$here/table" ;;
esac
"""


class Shell:
    """Runs `cronq` in the project's directory as a user would. Nothing of the host's own crontab is ever touched."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._started: list[subprocess.Popen[str]] = []
        self.config = home / "cronq.toml"
        self.bin = home / "bin"
        self.bin.mkdir()
        self.table = self.bin / "table"
        self.environ = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(home), "PYTHONSAFEPATH": "1"}
        program = self.bin / "crontab"
        program.write_text(CRONTAB)
        program.chmod(0o755)

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "cronq", *words]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(argv, **{"cwd": self.home, "env": self.environ, **streams, **options})
        self._started.append(process)
        return process

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def imports_click(self, *words: str, code: int) -> bool:
        """Run a command, see that it ends with `code`, and tell whether it has imported click."""
        look = f"from cronq.cli.entry import run; code = run({list(words)}); print(code, 'click' in sys.modules)"
        argv = [sys.executable, "-c", f"import sys; {look}"]
        done = subprocess.run(argv, cwd=self.home, env=self.environ, check=True, capture_output=True, text=True)
        ended_with, imported = done.stdout.split()[-2:]
        assert int(ended_with) == code, done.stdout + done.stderr
        return imported == "True"

    def says(self, *words: str, code: int = 0) -> str:
        """Run a command, see that it ends with `code`, and return all that it printed."""
        done = self.run(*words)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str, code: int = 0) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    @property
    def state(self) -> StateDir:
        return StateDir(str(self.home / ".cronq"))

    def app(self) -> App:
        """Return an App that sees the project's queues; its own code is not imported."""
        return App(load(self.config, {}))

    def ready(self, queue: str) -> int:
        return {one.queue: one.ready for one in self.app().transport.counts()}.get(queue, 0)

    def live(self, group: str = "") -> list[Seen]:
        return [seen for seen in slots.survey(self.state) if seen.live_note and seen.name.startswith(group)]

    def busy(self) -> list[Seen]:
        return [seen for seen in self.live() if seen.live_note and not seen.live_note.is_idle]

    def kill_all(self) -> None:
        """Kill every command, then every consumer, until none has come after the last one."""
        for process in self._started:
            with process:  # closes its streams and reaps it
                process.kill()

        def none_left() -> bool:
            for seen in self.live():
                if seen.live_note is not None:
                    send(seen.live_note.holder, signal.SIGKILL)
            return not any(seen.is_live for seen in slots.survey(self.state))

        wait_until(none_left)


@pytest.fixture
def shell(home: Path) -> Iterator[Shell]:
    """A directory with nothing in it yet."""
    shell = Shell(home)
    yield shell
    shell.kill_all()


@pytest.fixture
def shop(shell: Shell) -> Shell:
    """A project with three tasks and one group, so that a tick starts one consumer."""
    package = shell.home / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tasks.py").write_text(TASKS)
    shell.config.write_text(
        'app = "shop.tasks:app"\n'
        '[[consumers]]\nname = "all"\nqueues = ["high", "normal", "low"]\nautoscale = { min = 1, max = 1 }\n'
    )
    return shell


@pytest.fixture
def busy(shop: Shell) -> Iterator[Path]:
    """A consumer in the middle of a message, which ends when the file this returns is made."""
    end = shop.home / "end"
    shop.says("enqueue", "shop.tasks.until_there", str(end))
    shop.says("tick")
    wait_until(shop.busy)
    yield end
    end.touch()


def shown(terminal: int, text: str) -> bool:
    """Read from a terminal until `text` has come: the kernel hands over what was written in its own time."""
    seen = b""

    def has_come() -> bool:
        nonlocal seen
        seen += os.read(terminal, 65536) if select.select([terminal], [], [], 0)[0] else b""
        return text.encode() in seen

    return wait_until(has_come)


def without(environ: dict[str, str], *programs: str) -> dict[str, str]:
    """Return an environment whose PATH leads to none of these programs."""
    directories = [
        path for path in environ["PATH"].split(":") if not any(os.path.exists(f"{path}/{one}") for one in programs)
    ]
    return environ | {"PATH": ":".join(directories) or "/nonexistent"}

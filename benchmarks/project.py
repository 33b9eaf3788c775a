"""A project in a directory of its own to measure with."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from benchmarks.places import work_directory
from benchmarks.waiting import wait_until
from cronq.host.process import send
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS = """
import os, time
from cronq import App

app = App.from_config("cronq.toml")
starts = os.open(os.path.join(os.path.dirname(__file__), "starts"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

@app.task(queue="high")
def noop() -> None:
    pass

@app.task(queue="high")
def note_start(enqueued_at: float) -> None:
    os.write(starts, f"{time.monotonic() - enqueued_at:.6f}\\n".encode())
"""


@contextmanager
def project(config: str = "", tasks: str = TASKS) -> Iterator[Path]:
    """Make a project; end its consumers and remove it."""
    with work_directory() as path:
        (path / "tasks.py").write_text(tasks)
        (path / "cronq.toml").write_text(f'app = "tasks:app"\ninterval = "60s"\n{config}')
        try:
            yield path
        finally:
            for seen in slots.survey(StateDir(str(path / ".cronq"))):
                if seen.live_note is not None:
                    send(seen.live_note.holder, signal.SIGKILL)


def environment(path: Path) -> dict[str, str]:
    """The environment of a cron job."""
    return {**plain_environment(), "CRONQ_CONFIG": str(path / "cronq.toml")}


def plain_environment() -> dict[str, str]:
    """This environment without settings of cronq, and with compiled modules allowed as on a user's machine."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CRONQ_") and name != "PYTHONDONTWRITEBYTECODE"
    }


def consumes(path: Path, *slot_names: str) -> bool:
    """Tell whether all these slots have a consumer at work."""
    return _at_work(path).keys() >= set(slot_names)


def live_pids(path: Path) -> list[int]:
    """Return the processes of all consumers at work."""
    return list(_at_work(path).values())


def _at_work(path: Path) -> dict[str, int]:
    return {
        seen.name: seen.live_note.holder.pid
        for seen in slots.survey(StateDir(str(path / ".cronq")))
        if seen.live_note is not None and seen.live_note.state == slots.CONSUMING
    }


def tick_command(path: Path) -> list[str]:
    return [sys.executable, "-m", "cronq", *tick_words(path)]


def tick_words(path: Path) -> list[str]:
    return ["tick", "--config", str(path / "cronq.toml")]


def started(path: Path) -> None:
    """Have the standby consumer of the default configuration at work."""
    subprocess.run(tick_command(path), env=environment(path), check=True)
    wait_until(lambda: consumes(path, "standby.0"))


def import_tasks(path: Path) -> Any:
    """Import the project's tasks into this process."""
    sys.path.insert(0, str(path))
    sys.modules.pop("tasks", None)
    try:
        return importlib.import_module("tasks")
    finally:
        sys.path.remove(str(path))

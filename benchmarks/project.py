"""A project in a directory of its own to measure with, and waiting on conditions."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cronq.host.process import send
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
def project(config: str = "") -> Iterator[Path]:
    """Make a project below the home directory (cronq keeps nothing in /tmp); end its consumers and remove it."""
    base = Path.home() / ".cache" / "cronq-benchmarks"
    base.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=base))
    (path / "tasks.py").write_text(TASKS)
    (path / "cronq.toml").write_text(f'app = "tasks:app"\ninterval = "60s"\n{config}')
    try:
        yield path
    finally:
        for seen in slots.survey(StateDir(str(path / ".cronq"))):
            if seen.live_note is not None:
                send(seen.live_note.holder, signal.SIGKILL)
        shutil.rmtree(path, ignore_errors=True)


def environment(path: Path) -> dict[str, str]:
    """The environment of a cron job, with compiled modules allowed as on a user's machine."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "CRONQ_CONFIG": str(path / "cronq.toml")}


def consumes(path: Path, *slot_names: str) -> bool:
    """Tell whether all these slots have a consumer at work."""
    live = {
        seen.name
        for seen in slots.survey(StateDir(str(path / ".cronq")))
        if seen.live_note is not None and seen.live_note.state == slots.CONSUMING
    }
    return live.issuperset(slot_names)


def tick_command(path: Path) -> list[str]:
    return [sys.executable, "-m", "cronq", "tick", "--config", str(path / "cronq.toml")]


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Return when `condition` holds. Raises TimeoutError when it does not in time."""
    last = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > last:
            raise TimeoutError(f"waited {timeout_s} s for {condition}")
        time.sleep(0.01)

"""How long a message waits whose queue has no consumer that is ready: until somebody has fetched help."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Section, Table, at_most
from benchmarks.project import TASKS as USUAL
from benchmarks.project import environment, import_tasks, plain_environment, project, started
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.settings import Run

TASKS = (
    USUAL
    + """
@app.task(queue="low")
def hold() -> None:
    os.write(starts, b"0\\n")
    while not os.path.exists(os.path.join(os.path.dirname(__file__), "gate")):
        time.sleep(0.01)
"""
)
SHORT = "0.0010 tasks.hold\n"  # nobody is fetched ahead of it
TIED_UP_S = 1.1
HOW = """The only consumer is at a message of `low` that goes on and on, and no tick comes. A program enqueues one of
`high`: how long until it starts. Importing the project, which is part of that, is shown apart; so is the same where a
consumer was fetched ahead, since the long task was known to be long."""


def measure(run: Run) -> Section:
    rounds = max(3, run.pace.rounds)
    fetched = Figure.of([_waited_s(SHORT) for _ in range(rounds)])
    ahead = Figure.of([_waited_s("") for _ in range(rounds)])
    imports = Figure.of([_import_s() for _ in range(rounds)])
    rows = [
        ["until it starts, in a consumer that is fetched", fetched.text()],
        ["of these, Python and the project's import", imports.text()],
        ["until it starts, in one that was fetched ahead", ahead.text()],
    ]
    target = at_most("a message behind a long one, while places are free", fetched.median, 2.0, " s")
    return Section("Behind a long message", HOW, [Table(["", "seconds"], rows)], targets=[target])


def _waited_s(known: str) -> float:
    with project(tasks=TASKS) as path:
        os.makedirs(path / ".cronq", 0o700)
        (path / ".cronq" / "durations").write_text(known)
        started(path)
        tasks = import_tasks(path)
        tasks.hold.enqueue()
        wait_until(lambda: _starts(path))
        time.sleep(TIED_UP_S)
        tasks.note_start.enqueue(time.monotonic())
        wait_until(lambda: len(_starts(path)) > 1)
        (path / "gate").touch()
        tasks.app.transport.close()
        return float(_starts(path)[1])


def _starts(path: Path) -> list[str]:
    return (path / "starts").read_text().splitlines()


def _import_s() -> float:
    with project(tasks=TASKS) as path:
        began = time.monotonic()
        for _ in range(2):  # the second finds what the first has compiled
            began = time.monotonic()
            subprocess.run(
                [sys.executable, "-c", "import tasks"],
                cwd=path,
                env={**plain_environment(), **environment(path)},
                check=True,
            )
        return time.monotonic() - began

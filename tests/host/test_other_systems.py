"""A laptop with Windows or macOS: a project is developed there, and consumed elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

SYSTEMS = ("windows", "macos")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

USES = """
import cronq, os, sys
for name in cronq.__all__:
    getattr(cronq, name)

from cronq import App
app = App.from_config("cronq.toml")
ran = []

@app.task(result_ttl_s=60)
def add(one: int, other: int) -> int:
    ran.append(one + other)
    return one + other

ref = add.enqueue(1, 2)
add.enqueue_many([((3, 4), {})])
with app.outbox():
    add.enqueue(5, 6)
with app.testing() as box:
    add.enqueue(7, 8)
    box.run_all()
print(ref.status, ran, sorted((one.queue, one.ready) for one in app.transport.counts()))
"""

ASKS = """
import os, sys
from cronq.cli.entry import run
sys.exit(run(sys.argv[3:]))
"""


def on(system: str, code: str, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": ROOT}
    argv = [sys.executable, "-m", "tests.other_system", system, code, *words]
    return subprocess.run(argv, cwd=home, env=environ, capture_output=True, text=True, check=False)


@pytest.fixture
def project(home: Path) -> Path:
    (home / "tasks.py").write_text(
        'from cronq import App\napp = App.from_config("cronq.toml")\n'
        "@app.task\ndef greet(name: str) -> str:\n    return name\n"
    )
    (home / "cronq.toml").write_text('app = "tasks:app"\n')
    return home


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("transport", "says"),
    [
        ("sync://", "done [3, 7, 11, 15] [('normal', 0)]"),
        ("memory://", "ready [15] [('normal', 3)]"),
        ("sqlite:///queue.db", "ready [15] [('normal', 3)]"),
    ],
)
def test_tasks_are_declared_enqueued_and_tested(home: Path, system: str, transport: str, says: str) -> None:
    (home / "cronq.toml").write_text(f'transport = "{transport}"\n')
    done = on(system, USES, home)
    assert (done.stdout.strip(), done.stderr) == (says, "")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("check", "configuration is fine"),
        ("enqueue tasks.greet ada", ""),
        ("run tasks.greet ada", '"ada"'),
        ("queues", "normal"),
        ("messages", ""),
        ("failed", ""),
        ("tasks", "tasks.greet"),
        ("schedule", "no schedules"),
        ("backup copy.db", "0 messages waiting"),
        ("status", "consumers"),
    ],
)
def test_commands_that_need_no_consumer_work(project: Path, system: str, words: str, says: str) -> None:
    done = on(system, ASKS, project, *words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("words", ["tick", "tick --run", "consume", "consume high", "drain", "stop", "restore copy.db"])
def test_commands_that_do_say_in_one_sentence_what_they_need(project: Path, system: str, words: str) -> None:
    done = on(system, ASKS, project, *words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"cronq: cronq {words.split(maxsplit=1)[0]} needs Linux")
    assert {"windows": "this is Windows", "macos": "this is macOS"}[system] in done.stderr
    assert "cronq run TASK" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_check_says_that_no_consumer_can_live_here(project: Path, system: str) -> None:
    assert "warning: cronq tick needs Linux" in on(system, ASKS, project, "check").stdout


def test_what_is_kept_from_our_modules_is_there_for_others(home: Path) -> None:
    """Or nothing would be shown by the tests above: the standard library fails without what it knows to be there."""
    code = "import os, tempfile\nprint(hasattr(os, 'fork'))\ntempfile.TemporaryFile().close()\nimport fcntl"
    done = on("windows", code, home)
    assert done.stdout == "False\n"
    assert "ModuleNotFoundError: No module named 'fcntl'" in done.stderr

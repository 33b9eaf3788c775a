"""Every key of `[[consumers]]` has an effect: it is changed, and a tick or a real consumer is seen to differ."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from cronq.app import App
from cronq.config import load
from cronq.config.keys import GROUP
from cronq.host.bell import Bells
from cronq.supervisor.plan import decide
from tests import forked
from tests.supervisor.sights import sight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TASKS = """
import os, time
from cronq import App, Context, Retry

app = App.from_config("cronq.toml")


@app.task(name="shop.note")
def note(context: Context) -> None:
    left_s = round(context.deadline - time.monotonic(), -1)
    with open("ran", "a") as file:
        file.write(f"{os.getppid()} {os.nice(0)} {left_s}\\n")


@app.task(name="shop.fail", retry=Retry(max_attempts=1))
def fail() -> None:
    raise ValueError("boom")


@app.task(name="shop.boom", retry=Retry(max_attempts=1))
def boom() -> None:
    raise ValueError("boom")
"""


class Project:
    """A project with one group, in which each case changes one key."""

    def __init__(self, home: Path, changed: dict[str, str]) -> None:
        self.home = home
        home.mkdir()
        (home / "tasks.py").write_text(TASKS)
        keys = {"name": '"work"', "queues": '["high"]', "memory_limit_mb": '"off"', **changed}
        group = "".join(f"{key} = {value}\n" for key, value in keys.items())
        top = 'app = "tasks:app"\ninterval = "60s"\nmax_processes = 1\n'
        (home / "cronq.toml").write_text(f"{top}[[consumers]]\n{group}[queues.low]\n")
        self.settings = load(str(home / "cronq.toml"), {})

    def started(self, waiting: int = 30) -> Sequence[str]:
        """Return the groups that a tick starts consumers for, with so many messages that wait."""
        roomy = self.settings._replace(max_processes=20)
        return decide(roomy, sight(depth={roomy.groups[0].name: waiting})).start

    def left(self, *words: str) -> str:
        """Consume three messages, the first two of which fail; return why the consumer left."""
        app = App(self.settings)
        for name in ("fail", "boom", "note"):
            app.task(name=f"shop.{name}", queue="high")(lambda: None).enqueue()
        app.task(name="shop.other", queue="low")(lambda: None).enqueue()
        app.transport.close()
        ended = forked.run("consume", self.settings.groups[0].name, *words, home=self.home)
        assert ended.code == 0, ended.text
        log = Path(app.state.log).read_text()
        return log.rpartition(" leaves after ")[2].strip()

    def drained(self) -> str:
        return self.left("--stop-when-empty")

    def ran(self) -> list[str]:
        """Return what its task saw: its parent, how nice it is, in how many seconds it has to leave."""
        self.drained()
        return (self.home / "ran").read_text().split()

    def waited(self) -> str:
        """Return how long the consumer would have slept, had it not been told to leave."""
        self.left()
        return (self.home / "waits").read_text().split()[0]

    def left_in_queues(self) -> dict[str, int]:
        self.drained()
        return {counts.queue: counts.ready for counts in App(self.settings).transport.counts()}


class Case(NamedTuple):
    """What a key is changed to, and what is seen of that."""

    value: str
    seen: Callable[[Project], object]


CASES = {
    "name": Case('"other"', Project.started),
    "queues": Case('["high", "low"]', Project.left_in_queues),
    "autoscale.desired_size": Case("20", lambda project: project.started(waiting=30)),
    "autoscale.min": Case("1", lambda project: project.started(waiting=0)),
    "autoscale.max": Case("3", lambda project: project.started(waiting=30)),
    "time_limit": Case('"20m"', lambda project: project.ran()[2]),
    "limit": Case("2", Project.drained),
    "memory_limit_mb": Case("16", Project.drained),
    "failure_limit": Case("2", Project.drained),
    "linger": Case('"0s"', Project.left),
    "sleep": Case('"7s"', Project.waited),
    "nice": Case("13", lambda project: project.ran()[1]),
    "isolated": Case("true", lambda project: project.ran()[0]),
}
USUAL = {"autoscale.desired_size": {"autoscale.max": "9"}}
"""What a key needs beside it to be seen."""
KEYS = [".".join(path) for path, _ in GROUP.leaves(None, ())]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """An idle consumer writes down how long it would sleep, and is told to leave the second time."""

    def wait(self: Bells, at_most_s: float) -> bool:
        with open("waits", "a") as file:
            file.write(f"{at_most_s:.0f}\n")
        if os.path.getsize("waits") > 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    monkeypatch.setattr(Bells, "wait", wait)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("key", KEYS)
def test_every_key_of_a_group_has_an_effect(key: str, home: Path) -> None:
    assert key in CASES, f"{key}: write a case here that sees what it does"
    case, usual = CASES[key], USUAL.get(key, {})
    before = case.seen(Project(home / "before", usual))
    after = case.seen(Project(home / "after", {**usual, key: case.value}))
    assert before != after


def test_no_case_is_left_of_a_key_that_is_gone() -> None:
    assert set(CASES) == set(KEYS)

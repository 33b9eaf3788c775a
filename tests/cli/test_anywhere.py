"""Commands work whatever the working directory is: cron starts them in a home, web servers in `/`."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

README = """
[[consumers]]
name = "all"
queues = ["high", "normal", "low"]
autoscale = { min = 1, max = 1 }
"""


@pytest.fixture
def afar(shop: Shell) -> Shell:
    """README's layout, and a shell that stands in `/`: the package does not hold the file that its code names."""
    work = shop.home / "work"
    work.mkdir()
    os.rename(shop.home / "shop", work / "shop")
    shop.config = work / "cronq.toml"
    os.rename(shop.home / "cronq.toml", shop.config)
    return shop


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "shop.tasks:app, 3 tasks"),
        (["enqueue", "shop.tasks.add", "1"], ""),
        (["tasks"], "shop.tasks.add"),
        (["schedule"], "no schedules"),
        (["drain"], "ran 0 messages"),
        (["consume", "--stop-when-empty"], ""),
        (["run", "shop.tasks.add", "1", "2"], "3"),
    ],
)
def test_a_command_works_from_the_root_directory(afar: Shell, words: list[str], said: str) -> None:
    done = afar.run(*words, "--config", str(afar.config), cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert said in done.stdout


@pytest.mark.parametrize("ticks", [["tick", "--run"], ["tick", "--wait"]])
def test_a_tick_from_the_root_directory_has_its_messages_run(afar: Shell, ticks: list[str]) -> None:
    config = afar.config.read_text() + 'time_limit = "2s"\n'  # of the group, the last table there
    afar.config.write_text(config)
    sent = afar.run("enqueue", "shop.tasks.add", "1", "--config", str(afar.config), cwd="/")
    assert sent.returncode == 0, sent.stderr
    done = afar.run(*ticks, "--config", str(afar.config), cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    left = afar.json("queues", "list", "--config", str(afar.config))
    assert {one["queue"]: one["ready"] for one in left} == {"high": 0, "normal": 0, "low": 0}


def test_another_file_of_the_same_app_is_handed_to_it(afar: Shell) -> None:
    staging = afar.config.with_name("staging.toml")
    staging.write_text('state_dir = "staging"\n' + afar.config.read_text())
    done = afar.run("enqueue", "shop.tasks.add", "1", "--config", str(staging), cwd="/")
    assert done.returncode == 0, done.stderr
    assert (staging.parent / "staging" / "queue.db").exists()
    assert not (staging.parent / ".cronq").exists()


def test_an_app_whose_queues_are_elsewhere_is_refused_with_both_places(afar: Shell) -> None:
    tasks = afar.config.parent / "shop" / "tasks.py"
    fixed = f"from cronq.config import load\napp = App(load({str(afar.config)!r}))"
    tasks.write_text(tasks.read_text().replace('app = App.from_config("cronq.toml")', fixed))
    staging = afar.config.with_name("staging.toml")
    staging.write_text('state_dir = "staging"\n' + afar.config.read_text())
    done = afar.run("enqueue", "shop.tasks.add", "1", "--config", str(staging), cwd="/")
    assert done.returncode == 2
    assert f"{afar.config.parent}/.cronq" in done.stderr
    assert f"{afar.config.parent}/staging" in done.stderr


def test_what_nobody_finds_is_told_with_every_place(afar: Shell) -> None:
    tasks = afar.config.parent / "shop" / "tasks.py"
    done = afar.run("run", "x.y", "--config", str(afar.config.with_name("none.toml")), cwd="/")
    assert done.returncode == 2
    tasks.write_text(tasks.read_text().replace('"cronq.toml"', '"other.toml"'))
    imported = f"import sys; sys.path.insert(0, {str(tasks.parent.parent)!r}); import shop.tasks"
    told = subprocess.run(
        [sys.executable, "-c", imported], cwd="/", env=afar.environ, capture_output=True, text=True, check=False
    ).stderr
    for place in (tasks.parent, tasks.parent.parent, afar.home):
        assert f"\n  {place}/other.toml" in told

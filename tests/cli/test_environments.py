"""Prefixes, environments and variables, as a user meets them: through the commands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TASKS = """
from cronq import App

app = App.from_config("cronq.toml")

@app.task(queue="high")
def note(text: str) -> None:
    print(f"noted {text}")

@app.task(queue="mail")
def mail(to: str) -> None:
    raise OSError("down")
"""

FILE = """
app = "tasks:app"
queue_prefix = "{name}:"
transport = "sqlite:///{database}"

[queues.mail]
preset = "once"

[presets.once]
max_attempts = 1

[env.staging]
queue_prefix = "{name}-staging:"
presets.once.max_attempts = 2
"""


@pytest.fixture
def site(home):
    """Make a project; two of them share one database. Return how to call cronq in it."""

    def make(name):
        folder = home / name
        folder.mkdir()
        (folder / "tasks.py").write_text(TASKS)
        (folder / "cronq.toml").write_text(FILE.format(name=name, database=home / "shared.db"))

        def cronq(*args, **environ):
            return subprocess.run(
                [sys.executable, "-m", "cronq", *args],
                cwd=folder,
                env={"PATH": "/usr/bin:/bin", "HOME": str(home), **environ},
                capture_output=True,
                text=True,
                check=False,
            )

        return cronq

    return make


def ready(cronq, **environ):
    status = json.loads(cronq("status", "--json", **environ).stdout)
    return {queue["name"]: queue["ready"] for queue in status["queues"] if queue["ready"]}


def test_two_installations_share_a_database_and_see_their_own_queues(site):
    shop, blog = site("shop"), site("blog")
    assert shop("enqueue", "tasks.note", '"a"').returncode == 0
    assert (ready(shop), ready(blog)) == ({"high": 1}, {})
    assert "ran 0 messages" in blog("drain").stdout
    done = shop("drain")
    assert "ran 1 message, 0 failed, 0 left" in done.stdout


def test_an_environment_lies_over_the_file_and_a_variable_over_both(site):
    shop = site("shop")
    shop("enqueue", "tasks.note", '"a"', CRONQ_ENV="staging")
    assert (ready(shop), ready(shop, CRONQ_ENV="staging")) == ({}, {"high": 1})
    assert ready(shop, CRONQ_QUEUE_PREFIX="shop-staging:") == {"high": 1}


def test_an_environment_may_change_a_preset(site):
    shop = site("shop")
    for environ, left in (({}, "failed"), ({"CRONQ_ENV": "staging"}, "delayed")):
        shop("enqueue", "tasks.mail", '"ada"', **environ)
        shop("drain", **environ)
        status = json.loads(shop("status", "--json", **environ).stdout)
        (mail,) = [queue for queue in status["queues"] if queue["name"] == "mail"]
        assert mail[left] == 1


def test_the_crontab_line_takes_the_environment_along(site):
    line = site("shop")("crontab", CRONQ_ENV="staging", CRONQ_MAX_PROCESSES="2").stdout
    assert "CRONQ_ENV=staging" in line


def test_an_environment_that_the_file_does_not_have_is_refused(site):
    answer = site("shop")("status", CRONQ_ENV="prod")
    assert answer.returncode == 2
    assert "CRONQ_ENV = 'prod'" in answer.stderr.replace('"', "'")
    assert "staging" in answer.stderr

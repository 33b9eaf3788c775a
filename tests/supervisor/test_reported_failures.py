"""Failures that real ticks find, and scheduled runs, are told to callbacks and webhooks as all others are."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime

import pytest

from cronq.messages.message import State
from cronq.webhook import verify
from tests.supervisor.project import CONFIG, TASKS, Project
from tests.waiting import wait_until

MORE_TASKS = """

@app.on_failure
def tell(failure: Failure) -> None:
    write("told", f"{failure.task} {failure.queue} {failure.error_class} {failure.attempt}")


@app.cron("@every 1s", stop_after=1)
@app.task(retry=Retry(max_attempts=1))
def broken() -> None:
    raise LookupError("nothing there")
"""
WEBHOOK = """
[webhooks.ops]
url = "{url}"
tasks = ["tasks.poison", "tasks.broken"]
timeout = "60s"
"""


@pytest.fixture(params=["", 'queue_prefix = "shop:"\n'], ids=["plain", "prefixed"])
def project(request, home, receiver):
    project = Project(home)
    project.write("cronq.toml", request.param + CONFIG + WEBHOOK.format(url=receiver.url))
    project.write("tasks.py", TASKS.replace("import App, Context", "import App, Context, Failure") + MORE_TASKS)
    yield project
    project.kill_all()


def tick(project):
    """Tick; what it says (that a schedule has stopped) is of no interest here."""
    subprocess.run(project.command("tick", "--config", project.config), capture_output=True, timeout=120, check=False)
    return True


def told_of(receiver, task):
    return [request for request in receiver.requests if request.told["task"] == task]


def test_poison_that_a_tick_finds_is_told_to_the_callback_and_the_webhook(project, receiver):
    words = project.command("enqueue", "tasks.poison", "--config", project.config)
    subprocess.run(words, cwd=project.home, capture_output=True, timeout=120, check=True)
    wait_until(lambda: tick(project) and told_of(receiver, "tasks.poison"))
    (request,) = told_of(receiver, "tasks.poison")
    told = request.told
    assert {name: told[name] for name in ("event", "task", "queue", "attempt", "error_class")} == {
        "event": "failed",
        "task": "tasks.poison",
        "queue": "normal",
        "attempt": 2,
        "error_class": "Killed",
    }
    with open(project.state.secret("ops")) as file:
        assert verify(file.read().strip(), request.headers, request.body, datetime.now(UTC).timestamp())
    wait_until(lambda: tick(project) and "tasks.poison normal Killed 2" in project.read("told"))


def test_a_scheduled_run_that_fails_is_told_to_the_callback_and_the_webhook(project, receiver):
    wait_until(lambda: tick(project) and told_of(receiver, "tasks.broken"))
    told = told_of(receiver, "tasks.broken")[0].told
    assert (told["error_class"], told["error"], told["queue"]) == ("LookupError", "nothing there", "normal")
    wait_until(lambda: tick(project) and "tasks.broken normal LookupError 1" in project.read("told"))
    assert b'"follow"' in project.app.transport.schedules()[0].spec
    assert json.loads(project.app.transport.browse(State.FAILED)[0].message.headers)["schedule"] == "tasks.broken"

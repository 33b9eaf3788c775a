"""Ten consumers of a Django project, each with an import of its own (`exec`) or forked from one (`fork`)."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.figures import Figure, Section, Table, at_least
from benchmarks.measures.idle import mb
from benchmarks.places import REPOSITORY, python_of
from benchmarks.project import environment, live_pids, project, tick_words
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from benchmarks.settings import Run

CONSUMERS = 10
CONFIG = """max_processes = 12
memory_mb = "off"
spawn = "{spawn}"
[[consumers]]
name = "standby"
queues = ["high", "normal", "low"]
autoscale = {{ min = 10, max = 10 }}
"""
TASKS = """
import django
from django.conf import settings

names = ("auth", "contenttypes", "sessions", "messages", "staticfiles", "admin")
settings.configure(
    INSTALLED_APPS=[f"django.contrib.{name}" for name in names],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "site.db"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    SECRET_KEY="of a benchmark",
    USE_TZ=True,
)
django.setup()

import django.contrib.admin.sites, django.contrib.auth.views, django.forms, django.core.mail, django.db.models
from cronq import App

app = App.from_config("cronq.toml")

@app.task(queue="high")
def noop() -> None:
    pass
"""
HOW = """One tick starts ten consumers of a project that imports Django with its admin. CPU is that of all of them from
the start until they are idle, which is what a minutely handover costs; PSS is their memory then."""


class Crew(NamedTuple):
    cpu_s: float
    pss_mb: float


def measure(run: Run) -> Section:
    python = python_of("django", ("django", f"--editable={REPOSITORY}"))
    found: dict[str, list[Crew]] = {"exec": [], "fork": []}
    for spawn in list(found) * run.pace.peer_rounds:
        found[spawn].append(start(python, spawn))
    cpu = {spawn: Figure.of([one.cpu_s for one in crews]) for spawn, crews in found.items()}
    pss = {spawn: Figure.of([one.pss_mb for one in crews]) for spawn, crews in found.items()}
    rows = [[f'spawn = "{spawn}"', cpu[spawn].text(), pss[spawn].text()] for spawn in found]
    return Section(
        "Ten consumers of a Django project",
        HOW,
        [Table(["", "CPU to start them, s", "PSS of all, MB"], rows)],
        targets=[
            at_least("ten consumers: CPU of exec, of fork", cpu["exec"].median / cpu["fork"].median, 4, " x"),
            at_least("ten consumers: memory of exec, of fork", pss["exec"].median / pss["fork"].median, 2, " x"),
        ],
    )


def start(python: str, spawn: str) -> Crew:
    """Start ten consumers by one tick; return what they took."""
    with project(CONFIG.format(spawn=spawn), TASKS) as path:
        tick = [python, "-m", "cronq", *tick_words(path)]
        subprocess.run(tick, env=environment(path), check=True, cwd=path)
        wait_until(lambda: len(live_pids(path)) == CONSUMERS, 60)
        time.sleep(2)  # until the last one is idle
        pids = live_pids(path)
        return Crew(sum(map(_cpu_s, pids)), sum(mb(pid, "smaps_rollup", "Pss:") for pid in pids))


def _cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9

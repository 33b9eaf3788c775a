"""What an installation costs on which nothing happens: CPU seconds a day, processes, memory, files.

Ticks come every few seconds in place of every minute, and consumers live as much shorter: what a tick, a handover and
an idle consumer cost does not depend on how long the pauses are. The kernel counts (`benchmarks/inheritor.py`).
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.figures import Section, Table, at_most, number
from benchmarks.places import REPOSITORY
from benchmarks.project import environment, project, tick_command

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.settings import Run

TICKS_A_DAY = 1440
INTERVAL_S = 4
SLOWED = f"""interval = "{INTERVAL_S}s"
"""
TO_ZERO = (
    SLOWED
    + """
[[consumers]]
name = "all"
queues = ["high", "normal", "low"]
autoscale = { desired_size = 5, min = 0, max = 2 }
"""
)
PLAIN = """
from cronq import App

app = App.from_config("cronq.toml")
"""
DJANGO = (
    """
import django
from django.conf import settings

settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"])
django.setup()
"""
    + PLAIN
)
CONFIGURED = {"default": SLOWED, "min = 0": TO_ZERO}
HOW = """A quiet site, as the kernel counts it over {ticks} ticks, scaled to {day} a day: default groups, and one group
with `min = 0`. The project imports nothing but cronq, or Django as well ({django})."""


class Quiet(NamedTuple):
    """CPU seconds a day of everything and of ticks alone; processes between ticks and their memory; files."""

    all_s: float
    ticks_s: float
    processes: int
    rss_mb: float
    pss_mb: float
    files: int


def measure(run: Run) -> Section:
    ticks = 8 if run.pace.idle_s < 30 else 30
    has_django = importlib.util.find_spec("django") is not None
    tasks = {"cronq alone": PLAIN, **({"with Django": DJANGO} if has_django else {})}
    found = {
        (name, of): quiet(config, text, ticks) for name, config in CONFIGURED.items() for of, text in tasks.items()
    }
    rows = [[f"{name}, {of}", *map(number, one)] for (name, of), one in found.items()]
    last = list(tasks)[-1]
    django = "installed" if has_django else "not installed here"
    return Section(
        "A quiet day",
        HOW.format(ticks=ticks, day=TICKS_A_DAY, django=django),
        [Table(["", "CPU s a day", "ticks alone", "processes", "RSS, MB", "PSS, MB", "files"], rows)],
        [],
        [
            at_most(f"CPU seconds a day, default, {last}", found["default", last].all_s, 150, " s"),
            at_most(f"CPU seconds a day, min = 0, {last}", found["min = 0", last].all_s, 50, " s"),
        ],
    )


def quiet(config: str, tasks: str, ticks: int) -> Quiet:
    """Run ticks where nothing happens, and return what a day of them would cost."""
    with project("", tasks) as path:
        (path / "cronq.toml").write_text(f'app = "tasks:app"\n{config}')
        all_s, ticks_s, processes, rss_mb, pss_mb = _counted(path, ticks)
        files = sum(1 for _ in (path / ".cronq").rglob("*"))
    scale = TICKS_A_DAY / ticks
    return Quiet(all_s * scale, ticks_s * scale, int(processes), rss_mb, pss_mb, files)


def _counted(path: Path, ticks: int) -> list[float]:
    stop = [sys.executable, "-m", "cronq", "stop"]
    given = json.dumps([tick_command(path), ticks, INTERVAL_S, stop])
    command = [sys.executable, "-m", "benchmarks.inheritor", given]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(path), check=True, capture_output=True, text=True)
    counted: list[float] = json.loads(done.stdout)
    return counted

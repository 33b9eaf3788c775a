"""The same on a slow disk: every fsync takes 5 ms, as on shared hosting. Commits are the currency there."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks import shim
from benchmarks.contestants import CRONQ, CRONQ_EACH, HUEY, RAW
from benchmarks.figures import Figure, Plot, Section, Table, at_least, at_most, number
from benchmarks.places import REPOSITORY
from benchmarks.project import environment, project

if TYPE_CHECKING:
    from benchmarks.settings import Run

SLOW_US = 5000
MESSAGES = {CRONQ: 20_000, CRONQ_EACH: 200, RAW: 200, HUEY: 100}
HOW = """`benchmarks/slow_fsync.c` makes every fsync and fdatasync take 5 ms. Drain as above, by one worker. A web
request that enqueues ten messages through the middleware pays {syncs} commit(s) and takes {ms} ms."""


def measure(run: Run) -> Section:
    speed: dict[str, list[float]] = {one.name: [] for one in MESSAGES}
    syncs: dict[str, list[float]] = {one.name: [] for one in MESSAGES}
    arena = run.arena._replace(extra={**run.arena.extra, **shim.environment(SLOW_US)})
    for contestant in list(MESSAGES) * run.pace.peer_rounds:
        messages = MESSAGES[contestant]
        with arena.contest(contestant) as contest:
            count = contest.directory / "syncs"
            contest.do("backlog", messages)
            with contest.worker(env={"SLOW_FSYNC_COUNT": str(count)}):
                first, last = contest.wait_for_marks(2)
                speed[contestant.name].append(messages / (last.began - first.ended))
                syncs[contestant.name].append(1000 * shim.counted(count) / messages)
    request_syncs, request_ms = web_request()
    rows = [[name, Figure.of(speed[name]).text(), Figure.of(syncs[name]).text()] for name in speed]
    return Section(
        "A slow disk: fsync takes 5 ms",
        HOW.format(syncs=number(request_syncs), ms=number(request_ms)),
        [Table(["one worker", "messages/s", "syncs per 1,000 messages, start included"], rows)],
        [
            Plot(
                "slow_disk",
                "Drain, fsync takes 5 ms",
                "messages/s",
                [(n, Figure.of(v).median) for n, v in speed.items()],
            )
        ],
        [
            at_least("slow disk: drain, messages/s", Figure.of(speed[CRONQ.name]).median, 5_000),
            at_most("slow disk: syncs of a request that enqueues 10 messages", request_syncs, 1),
        ],
    )


REQUESTS = """
import json, os, sys, time
sys.path.insert(0, os.getcwd())
from benchmarks.shim import counted
from pathlib import Path
import tasks
from wsgi_hooks import CronqMiddleware

def site(environ, start_response):
    for number in range(10):
        tasks.note_start.enqueue(float(number))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]

application = CronqMiddleware(site, tasks.app)
def request():
    body = application({"REQUEST_METHOD": "POST"}, lambda *args: None)
    b"".join(body)
    if hasattr(body, "close"):
        body.close()

request()
before, began = counted(Path(os.environ["SLOW_FSYNC_COUNT"])), time.perf_counter()
for _ in range(20):
    request()
took = time.perf_counter() - began
print(json.dumps([(counted(Path(os.environ["SLOW_FSYNC_COUNT"])) - before) / 20, 1e3 * took / 20]))
"""


def web_request() -> tuple[float, float]:
    """Return the syncs and the milliseconds of a request that enqueues ten messages."""
    with project('inline = { mode = "off" }\n') as path:
        env = {**environment(path), **shim.environment(SLOW_US, path / "syncs"), "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-c", REQUESTS], cwd=path, env=env, check=True, stdout=subprocess.PIPE, text=True
        )
    syncs, ms = json.loads(done.stdout.splitlines()[-1])
    return syncs, ms

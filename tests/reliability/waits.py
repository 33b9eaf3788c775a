"""How long a message waits from the next page view on, however the last consumer ended. No tick runs meanwhile.

`python -m tests.reliability.waits [TIMES]`. A real web server, real consumers; the message is put into its queue when
nobody is left, then a page is asked for, four times a second, as by visitors. "here" is the web process itself that
runs it, "started" a consumer that the request starts, with the import of a project that takes no time itself (the
interpreter and cronq take their 0.2 s).
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.supervisor.project import HEAD, Project
from tests.waiting import has_ended, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VIEWS_APART_S = 0.25  # a web process looks once a second who is there, so the first view may be too early
INTERVALS = ("1m", "5m", "15m", "none")
MODES = {"inline": "here", "spawn": "started"}

CONFIG = """
app = "tasks:app"
{interval}
[inline]
mode = "{mode}"
memory_limit_mb = 16000

[[consumers]]
name = "standby"
queues = ["high", "normal"]
time_limit = "{time_limit}"
limit = {limit}
autoscale = {{ desired_size = 1, min = {least}, max = 1 }}
"""

TASKS = (
    HEAD
    + """

@app.task
def note(text: str) -> None:
    write("ran", f"{text} {time.time()}")
"""
)

SITE = """
import sys
from wsgiref.simple_server import WSGIRequestHandler, make_server
from tasks import app
from wsgi_hooks import CronqMiddleware

def page(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "2")])
    return [b"ok"]

WSGIRequestHandler.log_message = lambda *given: None
make_server("127.0.0.1", int(sys.argv[1]), CronqMiddleware(page, app)).serve_forever()
"""


class Trial(NamedTuple):
    """A project with its web server."""

    project: Project
    port: int

    def view(self) -> None:
        """Ask for a page, as a browser does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"ok"
        connection.close()

    def gone(self, pid: int) -> None:
        wait_until(lambda: has_ended(pid), 120)


class Ending(NamedTuple):
    """A way in which the last consumer ends: what its group is configured with, and what ends it.

    `takes_last`: what ends it is told the pid of a consumer that is there; otherwise none was ever started.
    """

    name: str
    end: Callable[[Trial, int], None]
    time_limit: str = "10m"
    limit: int = 1000
    takes_last: bool = True


def _kill(trial: Trial, pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    trial.gone(pid)


def _stop(trial: Trial, pid: int) -> None:
    subprocess.run(trial.project.command("stop", "--config", trial.project.config), check=True, capture_output=True)
    trial.gone(pid)


def _use_up(trial: Trial, pid: int) -> None:
    trial.project.enqueue("note", "last")
    trial.gone(pid)


def _reboot(trial: Trial, pid: int) -> None:
    """After a boot no process of before lives, and the notes name another boot."""
    _kill(trial, pid)
    note = trial.project.slot().note
    assert note is not None
    path = Path(trial.project.state.slot("standby.0"))
    path.write_bytes(path.read_bytes().replace(note.holder.boot.encode(), b"0" * len(note.holder.boot)))


def _delete_run(trial: Trial, pid: int) -> None:
    shutil.rmtree(trial.project.state.run)
    trial.gone(pid)


ENDINGS = (
    Ending("its time is over", lambda trial, pid: trial.gone(pid), time_limit="1s"),
    Ending("its limit of messages", _use_up, limit=1),
    Ending("cronq stop", _stop),
    Ending("kill -9, out of memory", _kill),
    Ending("a reboot", _reboot),
    Ending("run/ deleted", _delete_run),
    Ending("none was ever there (min = 0)", lambda trial, pid: None, takes_last=False),
)


def wait_s(home: Path, ending: Ending, interval: str, mode: str) -> float:
    """Return how long a message waited for the page view after which it ran."""
    settings = {
        "interval": "" if interval == "none" else f'interval = "{interval}"',
        "mode": mode,
        "time_limit": ending.time_limit,
        "limit": ending.limit,
        "least": 1 if ending.takes_last else 0,
    }
    with site(home, CONFIG.format(**settings), TASKS) as trial:
        project = trial.project
        pid = _consumer(trial) if ending.takes_last else 0
        trial.view()
        ending.end(trial, pid)
        if ending.takes_last and mode == "inline" and ending.end is _stop:
            return float("nan")  # the web process has the code from before the stop, and may start nobody
        _put(project)
        began = time.time()
        (line,) = wait_until(lambda: trial.view() or _ran(project), 120)
        return float(line.split()[1]) - began


@contextmanager
def site(home: Path, config: str, tasks: str) -> Iterator[Trial]:
    """Write a project, and have a web server answer for it."""
    project = Project(home)
    project.write("cronq.toml", config)
    project.write("tasks.py", tasks)
    project.write("site_.py", SITE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "site_.py", str(port)], cwd=home, stdout=subprocess.DEVNULL)
    try:
        trial = Trial(project, port)
        wait_until(lambda: _answers(trial))
        trial.view()  # one request at a time: what the first did after its answer (make the queue) is over
        yield trial
    finally:
        server.kill()
        server.wait()
        project.kill_all()


def _answers(trial: Trial) -> bool:
    try:
        trial.view()
    except OSError:
        return False
    return True


def _consumer(trial: Trial) -> int:
    """Start a consumer as a tick does, without one."""
    project = trial.project
    subprocess.Popen(project.command("consume", "standby", "--config", project.config), cwd=project.home).returncode = 0
    return project.consuming()


def _ran(project: Project) -> list[str]:
    time.sleep(VIEWS_APART_S)
    return [line for line in project.read("ran") if line.startswith("next ")]


def _put(project: Project) -> None:
    """Put a message into its queue, as another host would: nobody here is told."""
    from cronq.messages.ids import new_id
    from cronq.messages.message import Message

    message = Message(new_id(), "normal", "tasks.note", b'{"text":"next"}')
    project.app.transport.enqueue([message], lambda absorbed: None)


def main(times: int) -> int:
    """Print the table."""
    print(f"{'the last consumer ended by':<30} {'cron':<5} {'runs':>4}  {'here':>16}  {'started':>16}")
    for ending in ENDINGS:
        for interval in INTERVALS:
            columns = [_column(ending, interval, mode, times) for mode in MODES]
            print(f"{ending.name:<30} {interval:<5} {times:>4}  {columns[0]:>16}  {columns[1]:>16}", flush=True)
    return 0


def _column(ending: Ending, interval: str, mode: str, times: int) -> str:
    waits = []
    for _ in range(times):
        with tempfile.TemporaryDirectory(dir=Path.home() / ".cache") as directory:
            waits.append(wait_s(Path(directory), ending, interval, mode))
    if waits[0] != waits[0]:
        return "only started"
    return f"{median(waits):.2f}, {max(waits):.2f} s"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))

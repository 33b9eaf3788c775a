"""Secrets stay where they were put: not in argv, in no other environment, no log, no mail, no output, no message."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.supervisor.project import Project
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

SECRETS = TOKEN, KEY, PASSWORD = ("in-the-address-1", "in-its-own-file-1", "of-a-service-1")
OURS = {
    *("CRONQ_CONFIG", "_CRONQ_LAST_STOP"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
}

CONFIG = """
app = "tasks:app"
interval = "2s"
max_processes = 6
spawn = "SPAWN"
[[consumers]]
name = "work"
queues = ["normal"]
time_limit = "SECONDSs"
autoscale = { desired_size = 1, min = 2, max = 2 }
[inline]
mode = "spawn"
[webhooks.ops]
url = "http://127.0.0.1:PORT/hooks/TOKEN"
secret_file = "ops.secret"
on = ["failed", "finished"]
tasks = ["tasks.reported"]
timeout = "60s"
"""
TASKS = """
import os, time
from cronq import App, Retry
app = App.from_config("cronq.toml")
HERE = os.path.dirname(os.path.abspath(__file__))

def hold(name):
    with open(f"{HERE}/held", "a") as file:
        file.write(f"{name} {os.getpid()}\\n")
    while not os.path.exists(f"{HERE}/{name}"):
        time.sleep(0.005)

@app.task
def held(name: str) -> None:
    hold(name)

@app.task(isolated=True)
def held_apart(name: str) -> None:
    hold(name)

@app.task(retry=Retry(max_attempts=1))
def reported(fails: bool) -> None:
    if fails:
        raise ValueError("no")
"""
SITE = """
import sys, tasks
from wsgi_hooks import CronqMiddleware

def site(environ, start_response):
    tasks.held.enqueue("never")
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"hi"]

environ = {"REQUEST_METHOD": "GET", "SERVER_SOFTWARE": "WSGIServer/0.2", "SERVER_PROTOCOL": "HTTP/1.1"}
body = CronqMiddleware(site, tasks.app)(environ, lambda status, headers: None)
list(body)
if hasattr(body, "close"):
    body.close()
print("ready", flush=True)
sys.stdin.read()
"""


class Patient:
    """A receiver that answers 500 once it is let; so the delivery is there to be looked at."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.let = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.came.set()
                receiver.let.wait(120)
                self.send_response(500)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

            timeout = 60

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = False  # so that closing waits for them: a test that forks must be alone
        self._serving = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self._serving.start()

    @property
    def port(self) -> int:
        return int(self.server.server_port)

    def close(self) -> None:
        self.let.set()
        self.server.shutdown()
        self._serving.join()
        self.server.server_close()


class Secretive(Project):
    """A project with secrets in its configuration. `environ` is what its commands are started with."""

    def __init__(self, home: Path, port: int) -> None:
        super().__init__(home)
        self.port = port
        self.environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
        self._started: list[subprocess.Popen[str]] = []
        self.configure()
        self.write("tasks.py", TASKS)
        self.write("ops.secret", f"{KEY}\n")
        (home / "ops.secret").chmod(0o600)

    def configure(self, spawn: str = "exec", seconds: int = 60) -> None:
        text = CONFIG.replace("SPAWN", spawn).replace("SECONDS", str(seconds))
        self.write("cronq.toml", text.replace("PORT", str(self.port)).replace("TOKEN", TOKEN))

    def start(self, *words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=self.home,
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def cronq(self, *words: str) -> str:
        """Run a command to its end and return all that it printed."""
        return "".join(self.start("-m", "cronq", *words, "--config", self.config).communicate(timeout=300))

    def enqueue_by_web(self, name: str, *args: object) -> None:
        code = f"import tasks; tasks.{name}.enqueue(*{args!r})"
        self.start("-c", code).communicate(timeout=300)

    def holding(self, name: str) -> int:
        """Return the pid of the process that runs the message called so."""
        return wait_until(
            lambda: next((int(pid) for held, pid in map(str.split, self.read("held")) if held == name), None)
        )

    def settled(self) -> list[int]:
        """Wait until both consumers are there, and return the processes of this project."""
        wait_until(lambda: all(self.slot(f"work.{n}").live_note is not None for n in (0, 1)))
        return self.processes()

    def written(self) -> str:
        """Return everything that cronq has written: logs, notes, the queue."""
        files = [path for path in (self.home / ".cronq").rglob("*") if path.is_file()]
        return "".join(path.read_bytes().decode("latin-1") for path in files)

    def close(self) -> None:
        for process in self._started:
            with process:
                process.kill()
        self.kill_all()


@pytest.fixture
def receiver() -> Iterator[Patient]:
    made = Patient()
    yield made
    made.close()


@pytest.fixture
def project(home: Path, receiver: Patient) -> Iterator[Secretive]:
    made = Secretive(home, receiver.port)
    yield made
    made.close()


def fields_of(pid: int, name: str) -> list[str]:
    return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace").rstrip("\0").split("\0")


def look_at(project: Secretive, pid: int) -> None:
    """See that a process shows nothing in its command line, and has in its environment what it was given, no more."""
    argv, given = fields_of(pid, "cmdline"), dict(one.partition("=")[::2] for one in fields_of(pid, "environ"))
    assert not any(secret in word for secret in SECRETS for word in argv), argv
    new = {name: value for name, value in given.items() if project.environ.get(name) != value}
    assert not any(secret in value for secret in SECRETS for value in new.values()), new
    assert set(new) <= OURS | {"PWD", "_", "OLDPWD", "SHLVL"}, new  # those of the shell that puts them behind


def says_nothing(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text, text[max(0, text.find(secret) - 300) : text.find(secret) + 100]


@pytest.mark.parametrize("in_variable", [False, True], ids=["in the file", "in a variable"])
def test_tick_consumers_and_their_children_show_none(project: Secretive, in_variable: bool) -> None:
    if in_variable:
        project.environ["CRONQ_WEBHOOKS_OPS_URL"] = f"http://127.0.0.1:{project.port}/hooks/{PASSWORD}"
    project.enqueue_by_web("held_apart", "apart")
    tick = project.start("-m", "cronq", "tick", "--wait", "--config", project.config)
    child = project.holding("apart")
    consumers = project.settled()

    for pid in {tick.pid, child, *consumers}:
        look_at(project, pid)
    assert len({child, *consumers}) >= 4  # tick, two consumers, the child
    says_nothing(project.written())


def test_forked_consumers_show_none(project: Secretive) -> None:
    project.configure(spawn="fork")
    assert project.cronq("tick") == ""

    project.settled()
    wait_until(lambda: len(project.processes()) == 2)  # whose parent may take a moment to end
    for pid in project.processes():
        look_at(project, pid)
    says_nothing(project.written())


def is_for(pid: int, slot: str) -> bool:
    try:
        return fields_of(pid, "cmdline")[-1] == slot
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_successor_shows_none(project: Secretive) -> None:
    project.configure(seconds=1)
    project.enqueue_by_web("held", "held")
    project.cronq("tick")
    holder = project.holding("held")
    slot = next(name for name in ("work.0", "work.1") if project.slot(name).pid == holder)
    project.cronq("tick")

    def successor() -> int | None:
        """Of the one that is held: it waits for its slot, while others come and go."""
        return next((pid for pid in project.processes() if is_for(pid, slot)), None)

    look_at(project, wait_until(successor))
    says_nothing(project.written())


def test_a_consumer_that_a_web_request_starts_shows_none(project: Secretive) -> None:
    project.write("site_.py", SITE)
    site = project.start("site_.py")
    assert site.stdout is not None
    assert site.stdout.readline() == "ready\n"

    helper = project.holding("never")
    assert helper != site.pid
    look_at(project, helper)
    says_nothing(project.written())


@pytest.mark.parametrize("fails", [True, False])
def test_a_delivery_shows_none_while_it_goes_on_and_when_it_has_failed(
    project: Secretive, receiver: Patient, fails: bool
) -> None:
    project.enqueue_by_web("reported", fails)
    project.cronq("tick")
    wait_until(receiver.came.is_set)
    for pid in project.processes():
        look_at(project, pid)
    receiver.let.set()
    wait_until(lambda: "again in" in project.log())

    listed = project.cronq("messages", "list")
    shown = [project.cronq("messages", "show", line.split()[0]) for line in listed.splitlines()[1:]]
    assert "the receiver says 500" in "".join(shown)
    says_nothing("".join([listed, *shown, project.written()]))


COMMANDS = (
    *(("status",), ("status", "--json"), ("check",), ("check", "--json"), ("queues",), ("queues", "setup"), ("tasks",)),
    *(("schedule",), ("messages",), ("failed",), ("crontab", "print"), ("tick", "--dry-run"), ("tick", "--run")),
    *(("tick",), ("consume", "work", "--stop-when-empty"), ("consume", "work"), ("drain",), ("stop",)),
    *(("enqueue", "tasks.reported", "false"), ("backup", "copy.db"), ("init",)),
)


def test_no_command_prints_one(project: Secretive, receiver: Patient) -> None:
    """With a configuration that is fine."""
    project.configure(seconds=1)
    receiver.let.set()
    project.environ["CRONQ_WEBHOOKS_OPS_URL"] = f"http://127.0.0.1:{project.port}/hooks/{PASSWORD}"
    for words in COMMANDS:
        says_nothing(project.cronq(*words))
    says_nothing(project.written())


WRONG = {
    "a transport of later": f'transport = "postgresql://ada:{PASSWORD}@db/shop"',
    "a transport of nobody": f'transport = "host=db password={PASSWORD}"',
    "a slash too few": f'transport = "sqlite://ada:{PASSWORD}@db/shop"',
    "no secret belongs there": f'[webhooks.more]\nurl = "https://example.org/"\nsecret = "{KEY}"',
    "an address with a password": f'[webhooks.more]\nurl = "https://ada:{PASSWORD}@example.org/"',
    "an address that is none": f'[webhooks.more]\nurl = "https//example.org/{TOKEN}"',
    "no table": f'[webhooks]\nmore = "https://example.org/{TOKEN}"',
    "no TOML": f'transport = "{PASSWORD}',
}


@pytest.mark.parametrize("kind", [*WRONG, "a variable", "an unknown variable"])
def test_no_complaint_about_a_configuration_holds_one(project: Secretive, kind: str) -> None:
    assert project.cronq("tick") == ""  # consumers are there that read it again
    if kind in WRONG:
        project.write("cronq.toml", f"{WRONG[kind]}\n{'' if kind == 'no TOML' else CONFIG.partition('[webhooks')[0]}")
    elif kind == "a variable":
        project.environ["CRONQ_TRANSPORT"] = f"mysql://ada:{PASSWORD}@db/shop"
    else:
        project.environ["CRONQ_WEBHOOKS_OPS_SECRET"] = KEY
    for words in (("tick",), ("consume", "work"), ("status",), ("check", "--json"), ("check",), ("stop",)):
        printed = project.cronq(*words)
        assert "cronq.toml" in printed or "CRONQ_" in printed
        says_nothing(printed)
    for pid in project.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not project.processes())
    says_nothing(project.written())

"""The middleware under real servers: the visitor has the whole response while the work still runs."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
from tests.presence import there
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = """
import os, time
from cronq import App
from wsgi_hooks import CronqMiddleware

here = os.path.dirname(os.path.abspath(__file__))
app = App.from_config("cronq.toml")

@app.task
def blocked() -> None:
    open(f"{here}/started-{os.getpid()}", "w").close()
    while not os.path.exists(f"{here}/go"):
        time.sleep(0.01)
    open(f"{here}/done", "a").write("x")

def site(environ, start_response):
    if environ["PATH_INFO"] == "/enqueue":
        blocked.enqueue()
        start_response("204 No Content", [])
        return []
    if environ["PATH_INFO"] == "/file":
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "100000")])
        return environ["wsgi.file_wrapper"](open(f"{here}/big", "rb"))
    headers = [("Content-Type", "text/html")]
    if environ["PATH_INFO"] == "/sized":
        headers.append(("Content-Length", "4"))
    start_response("200 OK", headers)
    return iter([b"pa", b"ge"])

def page_view(environ, headers):
    return environ["REQUEST_METHOD"] == "GET"

application = CronqMiddleware(site, app, page_view)
"""

WSGIREF = """
import socket, sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from site_ import application
server = WSGIServer(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(sys.argv[1]))
server.server_name, server.server_port = server.server_address = server.socket.getsockname()
server.setup_environ()
server.set_app(application)
server.serve_forever()
"""

GUNICORN = [sys.executable, "-m", "gunicorn", "--workers", "1", "--timeout", "600", "--bind"]
SERVERS = {
    "gunicorn sync": lambda descriptor: [*GUNICORN, f"fd://{descriptor}", "site_:application"],
    "gunicorn gthread": lambda descriptor: [
        *GUNICORN, f"fd://{descriptor}", "--worker-class", "gthread", "--threads", "2", "site_:application"
    ],
    "wsgiref": lambda descriptor: [sys.executable, "serve.py", str(descriptor)],
}  # fmt: skip
"""They are given a socket that listens already: a free port that is only looked up may be another's a moment later."""


PATIENCE = 'time_limit = "10m"\nrequest_timeout = "10m"\n'  # a machine that stalls cuts no request short


@contextmanager
def serving(server: str, home: Path, mode: str = "inline", more: str = "", top: str = "") -> Iterator[int]:
    (home / "site_.py").write_text(SITE)
    (home / "serve.py").write_text(WSGIREF)
    (home / "big").write_bytes(b"0123456789" * 10_000)
    (home / "cronq.toml").write_text(f'app = "site_:app"\n{top}[inline]\nmode = "{mode}"\n{PATIENCE}{more}')
    with socket.create_server(("127.0.0.1", 0)) as listener, (home / "server.log").open("wb") as log:
        port, descriptor = listener.getsockname()[1], listener.fileno()
        process = subprocess.Popen(
            SERVERS[server](descriptor),
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[descriptor],
        )
    try:
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for seen in slots.survey(StateDir(str(home / ".cronq"))):
            if seen.is_live and seen.pid is not None:
                with suppress(ProcessLookupError):
                    os.kill(seen.pid, signal.SIGKILL)


def get(port: int, path: str, version: str = "HTTP/1.1") -> bytes:
    """Read a whole response; a server that holds it back until the work is done runs into the timeout."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    vars(connection)["_http_vsn_str"] = version  # which has no public name
    connection.request("GET", path)
    try:
        return connection.getresponse().read()
    finally:
        connection.close()


def started(home: Path) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in home.glob("started-*")]


CASES = [
    ("gunicorn sync", "/sized", "HTTP/1.1"),
    ("gunicorn sync", "/page", "HTTP/1.1"),
    ("gunicorn sync", "/page", "HTTP/1.0"),
    ("gunicorn gthread", "/sized", "HTTP/1.1"),
    ("gunicorn gthread", "/page", "HTTP/1.1"),
    ("wsgiref", "/sized", "HTTP/1.1"),
]


@pytest.mark.parametrize(("server", "path", "version"), CASES)
def test_the_visitor_has_the_whole_page_while_the_work_still_runs(server, path, version, home):
    with serving(server, home) as port:
        with_message(home)
        assert get(port, path, version) == b"page"
        wait_until(lambda: started(home))
        assert not (home / "done").exists()
        (home / "go").touch()
        wait_until((home / "done").exists)


@pytest.mark.parametrize("server", ["gunicorn sync", "gunicorn gthread", "wsgiref"])
def test_a_file_is_served_whole_and_the_work_is_done_once(server, home):
    with serving(server, home) as port:
        with_message(home)
        (home / "go").touch()
        assert get(port, "/file") == b"0123456789" * 10_000
        wait_until((home / "done").exists)
        get(port, "/sized")
        assert (home / "done").read_text() == "x"


def test_a_message_of_a_web_worker_that_is_killed_comes_back_with_the_next_page_view(home):
    with serving("gunicorn sync", home) as port:
        with_message(home)
        get(port, "/sized")
        wait_until(lambda: started(home))
        (victim,) = started(home)
        os.kill(victim, signal.SIGKILL)
        (home / "go").touch()
        wait_until(lambda: get(port, "/sized") == b"page" and (home / "done").exists())
    assert (home / "done").read_text() == "x"


def test_spawn_starts_a_consumer_and_the_web_process_keeps_no_child(home):
    with serving("gunicorn sync", home, mode="spawn") as port:
        with_message(home)
        get(port, "/sized")
        wait_until(lambda: started(home))
        state = StateDir(str(home / ".cronq"))
        (consumer,) = [seen for seen in slots.survey(state) if seen.is_live]
        pid = there(consumer.pid)
        assert started(home) == [pid]
        wait_until(lambda: "gunicorn" not in command_of(parent_of(pid)))
        (home / "go").touch()
        wait_until((home / "done").exists)
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not any(seen.is_live for seen in slots.survey(state)))


def test_auto_goes_on_inline_where_no_process_may_be_started(home):
    with serving("gunicorn sync", home, mode="auto", more="slice = 0.01\n", top='python = "/nowhere/python"\n') as port:
        with_message(home)
        with_message(home)
        get(port, "/sized")
        wait_until(lambda: started(home))  # the slice is over while the first one is blocked
        (home / "go").touch()
        wait_until(lambda: (home / "done").exists() and (home / "done").read_text() == "xx")


def parent_of(pid: int) -> int:
    return int((Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])


def command_of(pid: int) -> str:
    """Return what a process was started with; the web server's name for one that ended while it was looked for."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "gunicorn"


def with_message(home: Path) -> None:
    subprocess.run([sys.executable, "-c", "import site_; site_.blocked.enqueue()"], cwd=home, check=True)

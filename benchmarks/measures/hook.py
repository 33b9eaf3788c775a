"""What the WSGI hook costs while consumers live: per request in one process, and under gunicorn with real load."""

from __future__ import annotations

import importlib.util
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.figures import Figure, Section, Table, Target, at_least, at_most
from benchmarks.measures.tick import ONE_GROUP, run_once
from benchmarks.places import REPOSITORY
from benchmarks.project import consumes, environment, import_tasks, project, tick_command
from benchmarks.servers import connects, free_port
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.settings import Run

REQUESTS = 40_000
BURST = 40
TURNS = 200
WITHOUT, HOOKED, AGAIN = "without", "with the hook", "without, again"
PATHS = {WITHOUT: "/without", HOOKED: "/hooked", AGAIN: "/again"}
SITE = """
from tasks import app
from wsgi_hooks import CronqMiddleware

def plain(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "5")])
    return [b"hello"]

pages = {"/without": plain, "/hooked": CronqMiddleware(plain, app), "/again": plain}

def site(environ, start_response):
    return pages.get(environ["PATH_INFO"], plain)(environ, start_response)
"""
HOW = """A page that says hello, while a consumer lives. In one process: the same application with and without the
middleware, called as a server does, without a network. Under gunicorn (one sync worker): load by {load}. A second of it
varies by more than the hook costs, and two equal servers differ by up to 6 % for how their memory happens to lie. So
one server has the same page with and without the hook, and once more without, each at a path of its own; bursts of
{burst} requests are compared in turns, {turns} for each of {fresh} servers, one after the other. {missing}"""


def measure(run: Run) -> Section:
    with project(ONE_GROUP) as path:
        (path / "site_of_benchmarks.py").write_text(SITE)
        tasks = import_tasks(path)
        run_once(tick_command(path), environment(path))
        wait_until(lambda: consumes(path, "standby.0"))
        wait_until(lambda: all((path / f".cronq/alive/{name}").exists() for name in ("high", "normal", "low")))
        cost = microseconds(tasks.app, run.pace.rounds)
        missing = "" if importlib.util.find_spec("gunicorn") else "gunicorn is not installed here (the extra `test`)."
        served = None if missing else under_gunicorn(path, run)
    rows = [["in one process", f"+{cost.text()} us per request"]]
    if served is not None:
        rows += [[f"gunicorn, {name}", f"{Figure.of(found).text()} requests/s"] for name, found in served.loads.items()]
        rows += [
            [
                f"gunicorn in turns, {name}",
                f"{found.median:.3f} ({min(found.values):.3f}-{max(found.values):.3f}) of without",
            ]
            for name, found in served.of_without.items()
        ]
    targets = [at_most("WSGI hook while consumers live", cost.median, 3, " us")]
    return Section(
        "The WSGI hook",
        HOW.format(
            load="wrk" if shutil.which("wrk") else "one client of our own",
            burst=BURST,
            turns=TURNS,
            fresh=run.pace.rounds,
            missing=missing,
        ),
        [Table(["", "cost"], rows)],
        targets=targets + _of_without(served),
    )


def _of_without(served: Served | None) -> list[Target]:
    if served is None:
        return []
    ratio = served.of_without[HOOKED].median
    return [at_least("gunicorn with the hook, requests/s of without", ratio, 0.99, " x")]


def microseconds(app: Any, rounds: int) -> Figure:
    """Return what the hook adds to a request: pairs of bursts, one right after the other."""
    from wsgi_hooks import CronqMiddleware

    def plain(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "2")])
        return [b"ok"]

    hooked = CronqMiddleware(plain, app)
    costs = []
    for _ in range(rounds):
        without = min(_serve(plain) for _ in range(3))
        costs.append(min(_serve(hooked) for _ in range(3)) - without)
    return Figure.of(costs)


def _serve(application: Callable[..., Any]) -> float:
    """Serve requests as a server does; return CPU microseconds per request."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.multithread": False,
        "wsgi.file_wrapper": list,
    }

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        pass

    began = time.process_time()
    for _ in range(REQUESTS):
        body = application(dict(environ), start_response)
        for _chunk in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return 1e6 * (time.process_time() - began) / REQUESTS


class Served(NamedTuple):
    """Requests per second under load, and what pages do in short turns of what the one without the hook does."""

    loads: dict[str, list[float]]
    of_without: dict[str, Figure]


def under_gunicorn(path: Path, run: Run) -> Served:
    loads: dict[str, list[float]] = {name: [] for name in PATHS}
    found = []
    for _ in range(run.pace.rounds):
        with _server(path) as port:
            for name, page in PATHS.items():
                loads[name].append(load(port, page, run.pace.burst_s))
            found.append(in_turns(port))
    return Served(loads, {name: Figure.of([one[name] for one in found]) for name in (HOOKED, AGAIN)})


def in_turns(port: int) -> dict[str, float]:
    """Return what the pages are of the one without: the median of many bursts, each beside one of that."""
    names = list(PATHS)
    took: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(TURNS):
        random.shuffle(names)
        for name in names:
            took[name].append(_burst(port, PATHS[name]))
    return {
        name: Figure.of([without / one for without, one in zip(took[WITHOUT], took[name], strict=True)]).median
        for name in (HOOKED, AGAIN)
    }


@contextmanager
def _server(path: Path) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "critical"]
    env = {**environment(path), "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen([*command, "site_of_benchmarks:site"], cwd=path, env=env)
    try:
        wait_until(lambda: connects(port))
        yield port
    finally:
        process.terminate()
        process.wait()


def load(port: int, page: str, seconds: float) -> float:
    """Return requests per second that a server answers."""
    if shutil.which("wrk") is None:
        return _own_load(port, page, seconds)
    command = ["wrk", "-t1", "-c4", f"-d{max(1, round(seconds))}s", f"http://127.0.0.1:{port}{page}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def _own_load(port: int, page: str, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        _ask(port, page)
        count += 1
    return count / (time.perf_counter() - began)


def _burst(port: int, page: str) -> float:
    began = time.perf_counter()
    for _ in range(BURST):
        _ask(port, page)
    return time.perf_counter() - began


def _ask(port: int, page: str) -> None:
    """Ask once over a new connection: gunicorn's sync worker keeps none."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        while client.recv(65536):
            pass

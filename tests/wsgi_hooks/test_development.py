"""A developer's machine: all the work is done in the server's process, in the open, and nobody else is started."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import flask
import pytest

from cronq import App, Retry, events
from cronq.config import load
from cronq.config.advice import warnings
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
from tests.waiting import wait_until
from wsgi_hooks import CronqMiddleware
from wsgi_hooks.development import is_development

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.processes import Starting

CONFIG = '[inline]\nmode = "off"\nqueues = ["high"]\n[queues.alone]\nisolated = true\n'


@pytest.fixture
def ran() -> list[object]:
    return []


@pytest.fixture
def app(home: Path, ran: list[object]) -> Iterator[App]:
    (home / "cronq.toml").write_text(CONFIG)
    app = App(load(str(home / "cronq.toml")), dev=True)

    @app.task(name="note", queue="alone", inline=False)
    def note(text: str) -> None:
        ran.append((text, threading.get_ident()))

    @app.task(name="fail", isolated=True, retry=Retry(max_attempts=1))
    def fail() -> None:
        raise RuntimeError("told on the terminal")

    yield app
    app.transport.close()


def answered(app: App, work: Callable[[], object], **environ: Any) -> bytes:
    """Serve one request that does some work, and return the body, after close()."""

    def application(environ: Any, start_response: Any) -> list[bytes]:
        work()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [b"ok"]

    body: Any = CronqMiddleware(application, app)({"REQUEST_METHOD": "POST", **environ}, lambda *given: None)
    text = b"".join(body)
    body.close()
    return text


def test_all_queues_are_worked_on_after_the_response_whatever_is_left_to_consumers_elsewhere(app, ran):
    def work() -> None:
        app.registry.get("note").enqueue("a")
        app.registry.get("note").enqueue("b")
        assert ran == []

    assert answered(app, work) == b"ok"
    assert ran == [("a", threading.get_ident()), ("b", threading.get_ident())]


def test_what_others_have_enqueued_is_run_with_the_next_request(app, ran):
    app.registry.get("note").enqueue("from a shell")
    answered(app, lambda: None)
    assert [text for text, _ in ran] == ["from a shell"]


def test_a_consumer_that_lives_does_not_take_the_work_away(app, ran):
    app.state.prepare()
    for queue in ("high", "alone"):
        open(app.state.alive(queue), "w").close()
    held = slots.take(app.state, "high", 1)
    assert held is not None
    answered(app, lambda: app.registry.get("note").enqueue("a"))
    held.release()
    assert len(ran) == 1


def test_no_consumer_is_started_for_what_the_time_was_too_short_for(app, ran):
    heard: list[str] = []
    events.listeners.append(lambda name, facts: heard.append(name))
    app.installation.settings = app.settings._replace(
        inline=app.settings.inline._replace(mode="auto", time_limit_s=0.0, slice_s=0.0)
    )
    answered(app, lambda: app.registry.get("note").enqueue("a"))
    assert ran == []
    assert "inline_spawned" not in heard
    assert not any(seen.is_live for seen in slots.survey(app.state))


def test_a_traceback_is_told_on_the_terminal_and_not_in_the_response(app, capsys):
    assert answered(app, lambda: app.registry.get("fail").enqueue()) == b"ok"
    told = capsys.readouterr().err
    assert "cronq: fail " in told
    assert "Traceback (most recent call last):" in told
    assert 'raise RuntimeError("told on the terminal")' in told


def test_a_task_may_ask_the_very_server_that_it_runs_in(app, ran):
    """Its answer must not wait until the work is done, and what it enqueues there is run all the same."""

    @app.task(name="ask")
    def ask() -> None:
        asked = threading.Thread(target=answered, args=(app, lambda: app.registry.get("note").enqueue("asked")))
        asked.start()
        asked.join(30)
        ran.append((asked.is_alive(), 0))

    answered(app, ask.enqueue)
    assert [first for first, _ in ran] == [False, "asked"]


def test_what_a_killed_server_was_at_is_taken_back_with_the_next_request(home: Path, python: Starting) -> None:
    (home / "cronq.toml").write_text('app = "site_of:app"\n')
    (home / "site_of.py").write_text(
        "import os, time\nfrom cronq import App\nfrom wsgi_hooks import CronqMiddleware\n"
        "app = App.from_config('cronq.toml', dev=True)\n"
        "@app.task(name='once')\n"
        "def once() -> None:\n"
        "    with open('runs', 'a') as file:\n        file.write('x')\n"
        "    if os.path.getsize('runs') == 1:\n        os.kill(os.getpid(), 9)\n"
        "def site(environ, start_response):\n"
        "    if environ['PATH_INFO'] == '/enqueue':\n        once.enqueue()\n"
        "    start_response('200 OK', [])\n    return [b'']\n"
        "def serve(path):\n"
        "    body = CronqMiddleware(site, app)({'PATH_INFO': path, 'REQUEST_METHOD': 'POST'}, lambda *given: None)\n"
        "    list(body)\n    body.close()\n"
    )
    for path, code in (("/enqueue", -9), ("/", 0)):
        served = [sys.executable, "-c", f"from site_of import serve; serve({path!r})"]
        assert subprocess.run(served, cwd=home, check=False, capture_output=True).returncode == code
    assert (home / "runs").read_text() == "xx"


# when


@pytest.mark.parametrize(
    ("text", "dev"), [("1", True), ("true", True), ("0", False), ("false", False), ("auto", "auto")]
)
def test_a_variable_turns_it_on_and_off(tmp_path: Path, text: str, dev: object) -> None:
    (tmp_path / "cronq.toml").write_text("dev = true\n")
    assert load(tmp_path / "cronq.toml", {"CRONQ_DEV": text}).dev == dev


@pytest.mark.parametrize("debug", [True, False])
def test_flask_is_asked_whether_it_debugs(home: Path, debug: bool) -> None:
    app, flask_app = App(load(None, {})), flask.Flask("shop")
    flask_app.debug = debug
    assert is_development(app, flask_app) is debug
    assert is_development(app, flask_app.wsgi_app) is debug


@pytest.mark.parametrize(
    ("configured", "debug", "dev"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_django_is_asked_when_the_project_has_set_it_up(monkeypatch, configured: bool, debug: bool, dev: bool) -> None:
    """By what it is known to have (django.conf.settings); unconfigured, it would import the project's settings."""
    conf = SimpleNamespace(settings=SimpleNamespace(configured=configured, DEBUG=debug))
    monkeypatch.setitem(sys.modules, "django.conf", conf)
    assert is_development(App(load(None, {})), object()) is dev
    assert not is_development(App(load(None, {}), dev=False), object())


def test_nothing_says_so_in_a_plain_site() -> None:
    assert not is_development(App(load(None, {})), lambda environ, start_response: [])


def test_check_says_that_it_is_on(tmp_path: Path) -> None:
    (tmp_path / "cronq.toml").write_text("dev = true\n")
    assert any(text.startswith("dev: development is on") for text in warnings(load(tmp_path / "cronq.toml", {})))
    assert not any("development" in text for text in warnings(load(tmp_path / "cronq.toml", {"CRONQ_DEV": "0"})))


# servers and systems

FLASK = """
import flask
from cronq import App, Retry
from wsgi_hooks import CronqMiddleware
app = App.from_config("cronq.toml")
flask_app = flask.Flask("shop")
flask_app.wsgi_app = CronqMiddleware(flask_app.wsgi_app, app)

@app.task(retry=Retry(max_attempts=1))
def fail() -> None:
    raise RuntimeError("seen by the developer")

@flask_app.post("/")
def page():
    fail.enqueue()
    return "ok"

if __name__ == "__main__":
    flask_app.run(debug=True, use_reloader=False, port=0)
"""


def test_flask_s_own_server_in_debug_mode_shows_what_a_task_raised(home: Path) -> None:
    (home / "cronq.toml").write_text('app = "shop:app"\n')
    (home / "shop.py").write_text(FLASK)
    output = home / "output"
    with output.open("w") as file:
        server = subprocess.Popen([sys.executable, "shop.py"], cwd=home, stdout=file, stderr=subprocess.STDOUT)
    try:
        assert wait_until(lambda: "Running on" in output.read_text())
        (port,) = re.findall(r"Running on http://127.0.0.1:(\d+)", output.read_text())
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        connection.request("POST", "/")
        assert connection.getresponse().read() == b"ok"
        connection.close()
        assert wait_until(lambda: "\nRuntimeError: seen by the developer\n" in output.read_text())
        assert "Traceback (most recent call last):" in output.read_text()
        assert not any(seen.is_live for seen in slots.survey(StateDir(str(home / ".cronq"))) if not seen.is_inline)
    finally:
        server.kill()
        server.wait()


ELSEWHERE = """
import os, sys
from cronq import App, Retry
from wsgi_hooks import CronqMiddleware
app = App.from_config("cronq.toml", dev=True)

@app.task(isolated=True)
def count(down: int) -> None:
    print("ran", down)
    if down:
        count.enqueue(down - 1)

@app.task(retry=Retry(max_attempts=1))
def fail() -> None:
    raise RuntimeError("seen")

def site(environ, start_response):
    count.enqueue(1)
    fail.enqueue()
    start_response("200 OK", [])
    return [b"ok"]

body = CronqMiddleware(site, app)({"REQUEST_METHOD": "POST"}, lambda *given: None)
assert list(body) == [b"ok"]
body.close()
print([(one.queue, one.ready, one.failed) for one in app.transport.counts()])
"""


@pytest.mark.parametrize("system", ["windows", "macos"])
def test_it_works_where_no_consumer_can_live(home: Path, system: str) -> None:
    from tests.host.test_other_systems import on

    (home / "cronq.toml").touch()
    done = on(system, ELSEWHERE, home)
    assert done.stdout == "ran 1\nran 0\n[('normal', 0, 1)]\n"
    assert "RuntimeError: seen" in done.stderr

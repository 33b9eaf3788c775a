"""Reports by the real SDK, received by a server that speaks Sentry's envelopes."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cronq import Context, Retry, RetryLater
from cronq.events import emit
from tests.making import app as make_app
from tests.processes import says
from tests.waiting import wait_until

sentry_sdk = pytest.importorskip("sentry_sdk")
DedupeIntegration = pytest.importorskip("sentry_sdk.integrations.dedupe").DedupeIntegration
LoggingIntegration = pytest.importorskip("sentry_sdk.integrations.logging").LoggingIntegration


class Sentry:
    """What the server got."""

    def __init__(self, port: int) -> None:
        self.dsn = f"http://public@127.0.0.1:{port}/1"
        self.events: list[dict[str, Any]] = []

    def take(self, envelope: bytes) -> None:
        lines = envelope.split(b"\n")
        for header, payload in zip(lines[1::2], lines[2::2], strict=False):
            if json.loads(header).get("type") == "event":
                self.events.append(json.loads(payload))


@pytest.fixture
def sentry():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            found.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Sentry(server.server_port)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def reported(sentry: Sentry):
    """The SDK at work; call it for the events that have arrived when it has nothing left to send."""
    # Not the default integrations: one of them patches subprocess for the rest of this process.
    sentry_sdk.init(
        sentry.dsn,
        keep_alive=False,
        shutdown_timeout=0,
        default_integrations=False,
        integrations=[DedupeIntegration(), LoggingIntegration()],
    )

    def all_events() -> list[dict[str, Any]]:
        sentry_sdk.flush(timeout=300)
        return sentry.events

    yield all_events
    sentry_sdk.get_client().close(timeout=1)
    sentry_sdk.init(default_integrations=False)


@pytest.fixture
def app():
    return make_app()


@pytest.fixture
def box(app):
    with app.testing() as box:
        yield box


def connect(app, **options):
    from cronq.contrib import sentry as ours

    ours.connect(app, **options)


def fail(name: str, password: str = "") -> None:
    raise OSError("down")


@pytest.fixture
def task(app):
    return app.task(name="shop.fail", queue="high", retry=Retry(max_attempts=3, jitter=0))(fail)


def test_a_message_that_is_given_up_is_reported_once_with_what_it_was(app, box, task, reported):
    connect(app)
    ref = task.using(headers={"user": "ada", "Authorization": "Bearer x"}).enqueue("ada", password="hunter2")
    box.run_all(raises=False)
    (event,) = reported()
    assert event["exception"]["values"][-1]["type"] == "OSError"
    assert event["contexts"]["cronq"] == {
        "message_id": ref.id,
        "task": "shop.fail",
        "queue": "high",
        "attempt": 3,
        "max_attempts": 3,
        "headers": {"user": "ada", "Authorization": "[Filtered]"},
    }
    assert (event["tags"]["cronq.tasks.task"], event["transaction"]) == ("shop.fail", "shop.fail")


def test_arguments_are_nowhere_in_a_report(app, box, task, reported):
    connect(app)
    task.enqueue("ada-lovelace", password="hunter2")
    box.run_all(raises=False)
    (event,) = reported()
    assert "ada-lovelace" not in json.dumps(event)
    assert "hunter2" not in json.dumps(event)


def test_arguments_come_when_asked_for_save_secrets(app, box, task, reported):
    connect(app, arguments=True)
    task.enqueue("ada-lovelace", password="hunter2")
    box.run_all(raises=False)
    (event,) = reported()
    assert event["contexts"]["cronq"]["arguments"] == {"name": "ada-lovelace", "password": "[Filtered]"}
    assert "hunter2" not in json.dumps(event)


def test_every_attempt_is_reported_when_asked_for(app, box, task, reported):
    connect(app, every_attempt=True)
    task.enqueue("ada")
    box.run_all(raises=False)
    assert [(event["contexts"]["cronq"]["attempt"], event["tags"]["cronq.final"]) for event in reported()] == [
        (1, False),
        (2, False),
        (3, True),
    ]


def test_asking_for_a_retry_is_no_failure(app, box, reported):
    def wait(context: Context) -> None:
        if context.attempt == 1:
            raise RetryLater(5)

    connect(app, every_attempt=True)
    app.task(name="shop.wait")(wait).enqueue()
    box.run_all()
    assert reported() == []


def test_a_message_that_never_ran_is_reported_in_words(app, box, task, reported):
    connect(app)
    task.using(expires_s=5).enqueue("ada")
    box.advance(6)
    box.run_all(raises=False)
    (event,) = reported()
    assert event["message"] == "shop.fail: expired before it could be run"
    assert event["contexts"]["cronq"]["task"] == "shop.fail"


def test_what_a_task_tells_sentry_stays_with_its_message(app, box, reported):
    def tell(name: str) -> None:
        sentry_sdk.set_tag("name", name)
        sentry_sdk.add_breadcrumb(message=f"met {name}")
        raise ValueError(name)

    connect(app)
    task = app.task(name="shop.tell", retry=Retry(max_attempts=1))(tell)
    sentry_sdk.add_breadcrumb(message="before")
    task.enqueue("ada")
    task.enqueue("bob")
    box.run_all(raises=False)
    told = [
        (event["tags"]["name"], [crumb["message"] for crumb in event["breadcrumbs"]["values"]]) for event in reported()
    ]
    assert told == [("ada", ["met ada"]), ("bob", ["met bob"])]


def test_one_failure_is_one_report_also_when_our_lines_go_to_logging(app, box, task, reported, caplog):
    from cronq.contrib.logs import to_logging

    to_logging()
    connect(app)
    task.enqueue("ada")
    box.run_all(raises=False)
    assert "went to the failure queue" in caplog.text
    assert len(reported()) == 1


def test_connecting_twice_or_two_apps_reports_once(app, box, task, reported):
    connect(app)
    connect(app)
    connect(make_app())
    task.enqueue("ada")
    task.using(expires_s=1e-6).enqueue("bob")
    box.run_all(raises=False)
    assert len(reported()) == 2


def test_a_failure_that_also_reaches_the_caller_is_one_report(reported):
    app = make_app(transport="sync://")
    connect(app)
    task = app.task(name="shop.fail")(fail)
    try:
        task.enqueue("ada")
    except OSError as error:  # a web framework's integration reports what leaves a view
        sentry_sdk.capture_exception(error)
    assert len(reported()) == 1


def test_reports_are_sent_when_a_consumer_stops(app, box, task, sentry, reported, monkeypatch):
    monkeypatch.setattr("cronq.contrib.sentry.FLUSH_S", 300.0)
    connect(app)
    task.enqueue("ada")
    box.run_all(raises=False)
    emit("consumer_stopped", slot="high.0", reason="enough", messages=1, failures=1)
    assert len(sentry.events) == 1


PROJECT = """
import sentry_sdk
from cronq import App, Retry
from cronq.contrib import sentry

sentry_sdk.init({dsn!r}, keep_alive=False, default_integrations=False)
sentry.FLUSH_S = 300.0  # more than any machine needs
app = App.from_config("cronq.toml")
sentry.connect(app)

@app.task(retry=Retry(max_attempts=1))
def fail() -> None:
    raise OSError("down")

@app.task(retry=Retry(max_attempts=1), isolated=True)
def fail_alone() -> None:
    raise OSError("down")
"""


@pytest.mark.parametrize(
    ("task", "said"), [("fail", None), ("fail_alone", "tasks.fail_alone: OSError: down")], ids=["plain", "isolated"]
)
def test_a_consumer_sends_its_reports_before_it_leaves(sentry, home, python, task, said):
    (home / "cronq.toml").write_text('app = "tasks:app"\n')
    (home / "tasks.py").write_text(PROJECT.format(dsn=sentry.dsn))
    code = f"""
    import tasks
    tasks.{task}.enqueue()
    from cronq.cli.entry import main
    sys.argv = ["cronq", "drain"]
    main()
    """
    process = python(code, cwd=home, env={"PYTHONPATH": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home)})
    assert "1 failed" in says(process)
    wait_until(lambda: sentry.events)
    (event,) = sentry.events
    assert (event["contexts"]["cronq"]["task"], event.get("message")) == (f"tasks.{task}", said)

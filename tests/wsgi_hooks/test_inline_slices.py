"""Long work in slices, and stopping, in web processes."""

from __future__ import annotations

import time

import pytest

from cronq import Context  # noqa: TC001 - read when the task is registered
from cronq.app import App
from cronq.config import load
from tests.clocks import FakeClock
from tests.wsgi_hooks.test_middleware import request, site
from wsgi_hooks import CronqMiddleware


@pytest.fixture
def app(home):
    (home / "cronq.toml").write_text('[inline]\nmode = "inline"\nmemory_limit_mb = 16000\ntime_limit = "0.2s"\n')
    app = App(load(str(home / "cronq.toml")), FakeClock(time.time()))
    yield app
    app.transport.close()


def test_an_import_goes_on_in_slices_within_the_time_of_each_request(app):
    rows: list[int] = []
    stops: list[int] = []

    def import_rows(context: Context) -> object:
        for number in range(context.cursor or 0, 100):
            if context.should_stop:
                stops.append(number)
                return context.continue_later(number)
            app.clock.advance(0.005)
            rows.append(number)
        return None

    ref = app.task(name="import_rows")(import_rows).enqueue()
    requests = 0
    while ref.status != "gone":
        request(CronqMiddleware(site(), app))
        requests += 1
    assert rows == list(range(100))
    assert (len(stops), requests) == (requests - 1, requests)
    assert requests >= 3


def test_a_task_in_a_web_process_learns_that_it_is_to_stop(app):
    def wait(context: Context) -> object:
        app.transport.ask_to_stop([ref.id])
        return context.continue_later(1) if context.should_stop else None

    ref = app.task(name="wait")(wait).enqueue()
    request(CronqMiddleware(site(), app))
    record = app.transport.find(ref.id)
    assert (record.error_class, record.message.cursor) == ("TaskStopped", b"1")


def test_a_task_knows_that_it_runs_in_a_web_process(app):
    seen = []

    def look(context: Context) -> None:
        seen.append((context.consumer, context.in_web_process))

    app.task(name="look")(look).enqueue()
    request(CronqMiddleware(site(), app))
    assert seen == [("inline.0", True)]

"""No silent minutes: the request that finds nobody there works, however the last consumer ended. No tick runs here."""

from __future__ import annotations

import os
import signal
import time

import pytest

from cronq import App
from cronq.config import load
from cronq.host import marks
from cronq.messages.message import State
from cronq.supervisor import slots
from cronq.transports.exchange import Want
from tests.living import living
from tests.presence import there
from tests.wsgi_hooks.test_middleware import request, site
from wsgi_hooks import CronqMiddleware

FRESH = ("high", "normal", "low")


@pytest.fixture
def ran():
    return []


@pytest.fixture
def app(home, ran):
    (home / "cronq.toml").write_text('[inline]\nmode = "inline"\nmemory_limit_mb = 16000\n')
    app = App(load(str(home / "cronq.toml")))

    def note(text: str) -> None:
        ran.append(text)

    app.task(name="note")(note)
    app.state.prepare()
    yield app
    app.transport.close()


def enqueue(app: App, text: str, queue: str = "normal") -> None:
    app.registry.get("note").using(queue=queue, immediately=True).enqueue(text)


def touch_marks(app: App) -> None:
    for queue in FRESH:
        marks.touch(app.state.alive(queue), time.time())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_page_view_works_when_the_last_consumer_has_ended_whatever_the_marks_say(app, ran, number):
    site_of_ours = CronqMiddleware(site(), app)
    with living(app.state) as one:
        request(site_of_ours)
        one.end(number)
        touch_marks(app)
        enqueue(app, "a")
        site_of_ours._lookout.calm_until = 0.0  # a second later
        request(site_of_ours)
    assert ran == ["a"]


def test_a_state_directory_that_was_emptied_is_no_consumer(app, ran):
    with living(app.state):
        os.unlink(app.state.slot("standby.0"))
        enqueue(app, "a")
        request(CronqMiddleware(site(), app))
    assert ran == ["a"]


def test_a_request_that_enqueued_looks_again_within_the_second(app, ran):
    ours = CronqMiddleware(site(work=lambda: None), app)
    with living(app.state) as one:
        request(ours)
        one.end()
    ours._application = site(work=lambda: app.registry.get("note").enqueue("a"))
    request(ours, "POST")
    assert ran == ["a"]


def test_a_consumer_of_one_queue_leaves_the_others_to_requests(app, ran):
    with living(app.state, "high", ("high",)):
        touch_marks(app)
        enqueue(app, "high", "high")
        enqueue(app, "low", "low")
        request(CronqMiddleware(site(), app))
    assert ran == ["low"]


def test_a_consumer_whose_queue_has_no_mark_is_left_its_work(app, ran):
    with living(app.state, "high", ("high",)):
        enqueue(app, "high", "high")
        request(CronqMiddleware(site(), app))
    assert ran == []


def test_what_a_dead_consumer_held_comes_back_beside_a_living_one(app, ran):
    with living(app.state, "standby"), living(app.state, "high", FRESH) as dying:
        enqueue(app, "a")
        holder = str(there(slots.see(app.state, "high.0").note).holder)
        app.transport.exchange(holder, [], Want(FRESH, time.time() + 600, 1, 1))
        ours = CronqMiddleware(site(), app)
        request(ours)
        assert app.transport.browse(State.RESERVED)
        dying.end()
        ours._lookout.calm_until = 0.0
        request(ours)
    assert not app.transport.browse(State.RESERVED)
    assert [one.message.attempt for one in app.transport.browse(State.READY)] == [0]  # it had not begun
    assert ran == []  # the living one runs it


def test_the_dead_are_looked_after_once(app, monkeypatch):
    with living(app.state, "standby"), living(app.state, "high", FRESH) as dying:
        ours = CronqMiddleware(site(), app)
        dying.end()
        request(ours)
        monkeypatch.setattr("wsgi_hooks.drain.rescue_dead", lambda app: pytest.fail("once more"))
        ours._lookout.calm_until = 0.0
        request(ours)


def test_a_consumer_that_is_busy_is_left_alone(app, ran):
    with living(app.state, is_busy=True):
        enqueue(app, "a")
        request(CronqMiddleware(site(), app))
    assert ran == []


def test_unattended_steps_in_when_a_busy_one_has_not_looked_for_the_grace_period(app, ran):
    inline = app.settings.inline._replace(when="unattended")
    app.installation.settings = app.settings._replace(inline=inline)
    enqueue(app, "a")
    with living(app.state, is_busy=True):
        touch_marks(app)
        request(CronqMiddleware(site(), app))
        assert ran == []
        marks.touch(app.state.alive("normal"), time.time() - 601)
        request(CronqMiddleware(site(), app))
    assert ran == ["a"]


def test_a_process_with_the_code_from_before_a_stop_works_no_more(app, ran):
    ours = CronqMiddleware(site(), app)
    enqueue(app, "a")
    with open(app.state.stop, "w") as file:
        file.write("0")
    request(ours)
    assert ran == []
    request(CronqMiddleware(site(), app))  # one that was started since
    assert ran == ["a"]


def test_nobody_works_while_a_stop_lasts(app, ran):
    with open(app.state.stop, "w") as file:
        file.write(str(time.time() + 600))
    enqueue(app, "a")
    request(CronqMiddleware(site(), app))
    assert ran == []


def test_messages_for_a_queue_whose_consumers_are_all_busy_have_one_started(app, monkeypatch):
    asked = []
    monkeypatch.setattr("wsgi_hooks.drain.start_consumer", lambda app, queues: asked.append(queues))
    with living(app.state, is_busy=True):
        request(CronqMiddleware(site(work=lambda: app.registry.get("note").enqueue("a")), app), "POST")
        request(CronqMiddleware(site(), app))  # enqueues nothing
    assert asked == [["normal"]]
    with living(app.state):
        request(CronqMiddleware(site(work=lambda: app.registry.get("note").enqueue("a")), app), "POST")
    assert asked == [["normal"]]


def test_how_long_a_task_took_in_a_web_process_is_remembered(app):
    enqueue(app, "a")
    request(CronqMiddleware(site(), app))
    with open(app.state.durations) as file:
        assert file.read().split()[1] == "note"


def test_a_task_that_fits_no_web_process_is_told_of_until_a_consumer_comes(app, ran):
    from cronq.supervisor.status import look
    from cronq.supervisor.troubles import troubles

    def told() -> list[str]:
        status = look(app.settings, app.state, app.transport, app.clock)
        return [one.text for one in troubles(status) if "a web process may work" in one.text]

    with open(app.state.durations, "w") as file:
        file.write("3600.0 note\n")
    enqueue(app, "a")
    request(CronqMiddleware(site(), app))
    assert ran == []
    (text,) = told()
    assert text.startswith("note: take longer than a web process may work (30 s)")
    assert "cronq tick --run" in text
    with living(app.state):
        assert told() == []
    assert told() == []  # it has begun since

from __future__ import annotations

import asyncio
import errno
import io
import os
import signal
import time
from contextlib import ExitStack

import pytest

from cronq import App, Retry, UsageError
from cronq.config import load
from cronq.consumer.loaded_code import LoadedCode
from cronq.errors import TransportError
from cronq.messages.message import State
from cronq.supervisor import slots
from cronq.transports.exchange import Want
from tests.living import living
from tests.making import message
from tests.presence import there
from wsgi_hooks import CronqMiddleware
from wsgi_hooks.body import close

HTML = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "2")]


@pytest.fixture
def ran():
    return []


@pytest.fixture
def app(home, ran):
    (home / "cronq.toml").write_text('[inline]\nmode = "inline"\nmemory_limit_mb = 16000\n')
    app = App(load(str(home / "cronq.toml")))

    @app.task(name="note")
    def note(text: str) -> None:
        ran.append(text)

    @app.task(name="fail")
    def fail() -> None:
        raise RuntimeError("never in the response")

    @app.task(name="stay", inline=False)
    def stay() -> None:
        ran.append("stay")

    yield app
    app.transport.close()


def task(app, name):
    return app.registry.get(name)


def site(status="200 OK", headers=HTML, body=(b"ok",), work=lambda: None):
    def application(environ, start_response):
        work()
        start_response(status, list(headers))
        return list(body)

    return application


def request(application, method="GET", **environ):
    """Serve one request as a server does; return status and body, after close()."""
    told = []
    environ = {"REQUEST_METHOD": method, "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_SOFTWARE": "WSGIServer/0.2", **environ}
    body = application(environ, lambda status, headers, exc_info=None: told.append(status))
    try:
        content = b"".join(body)
    finally:
        if hasattr(body, "close"):
            close(body)
    return told[0], content


@pytest.fixture
def attended(app):
    """A consumer of all queues lives."""
    with living(app.state) as one:
        yield one


@pytest.mark.usefixtures("attended")
def test_messages_of_a_successful_request_are_sent_in_one_transaction(app, monkeypatch):
    sent = []
    monkeypatch.setattr(app.transport, "enqueue", lambda messages, shown: sent.append(len(messages)))
    request(CronqMiddleware(site(work=lambda: [task(app, "note").enqueue("a"), task(app, "note").enqueue("b")]), app))
    assert sent == [2]


@pytest.mark.usefixtures("attended")
def test_messages_are_sent_before_the_response_leaves(app):
    wrapped = CronqMiddleware(site(work=lambda: task(app, "note").enqueue("a")), app)
    body = wrapped({"REQUEST_METHOD": "POST"}, lambda status, headers: None)
    assert app.transport.depth(["normal"], 5) == 1
    close(body)


def test_where_inline_work_is_off_a_response_stays_as_it_is_and_its_messages_are_sent(app):
    def application(environ, start_response):
        task(app, "note").enqueue("a")
        start_response("200 OK", list(HTML))
        return body

    app.installation.settings = app.settings._replace(inline=app.settings.inline._replace(mode="off"))
    body = [b"ok"]
    assert CronqMiddleware(application, app)({"REQUEST_METHOD": "GET"}, lambda status, headers: None) is body
    assert app.transport.depth(["normal"], 5) == 1


def test_inline_work_that_is_turned_off_during_a_request_leaves_nothing_behind(app, home):
    before = sorted(os.listdir(home))
    body = CronqMiddleware(site(), app)({"REQUEST_METHOD": "GET"}, lambda status, headers: None)
    with app.testing():
        close(body)
    assert sorted(os.listdir(home)) == before


def test_messages_of_a_request_that_raises_are_dropped(app):
    def work():
        task(app, "note").enqueue("never")
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        request(CronqMiddleware(site(work=work), app))
    assert app.transport.counts() == []


def test_messages_of_a_server_error_are_dropped(app):
    wrapped = CronqMiddleware(site("500 Internal Server Error", work=lambda: task(app, "note").enqueue("never")), app)
    request(wrapped)
    assert app.transport.counts() == []


def test_a_message_that_cannot_be_stored_is_an_error_of_the_request(app, monkeypatch):
    def full(messages, shown):
        raise TransportError("disk full", pressure=True)

    body = io.BytesIO(b"ok")

    def application(environ, start_response):
        task(app, "note").enqueue("a")
        start_response("200 OK", HTML)
        return body

    monkeypatch.setattr(app.transport, "enqueue", full)
    with pytest.raises(TransportError, match="disk full"):
        request(CronqMiddleware(application, app))
    assert body.closed  # by us, for the server never sees it


@pytest.mark.usefixtures("attended")
def test_messages_enqueued_while_a_body_streams_are_sent_at_once(app):
    def application(environ, start_response):
        start_response("200 OK", HTML)
        yield b"o"
        task(app, "note").enqueue("late")
        yield b"k"

    request(CronqMiddleware(application, app))
    assert app.transport.depth(["normal"], 5) == 1


def test_a_page_view_finishes_what_waits_when_no_consumer_lives(app, ran):
    task(app, "note").enqueue_many([(("a",), {}), (("b",), {})])
    assert request(CronqMiddleware(site(), app)) == ("200 OK", b"ok")
    assert ran == ["a", "b"]


@pytest.mark.usefixtures("attended")
def test_nothing_is_run_while_a_consumer_lives(app, ran):
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert ran == []


@pytest.mark.usefixtures("attended")
def test_a_look_is_not_repeated_within_a_second(app, monkeypatch):
    wrapped = CronqMiddleware(site(), app)
    request(wrapped)
    monkeypatch.setattr("wsgi_hooks.lookout.presence_of", lambda *given: pytest.fail("looked again"))
    request(wrapped)


@pytest.mark.usefixtures("attended")
def test_while_consumers_live_the_response_is_left_as_it_is(app):
    body = [b"ok"]
    wrapper = object()
    seen = []

    def application(environ, start_response):
        seen.append(environ.get("wsgi.file_wrapper"))
        start_response("200 OK", HTML)
        return body

    wrapped = CronqMiddleware(application, app)
    request(wrapped)
    environ = {"REQUEST_METHOD": "GET", "wsgi.file_wrapper": wrapper}
    assert wrapped(environ, lambda status, headers: None) is body
    assert seen[1] is wrapper


def test_a_consumer_that_comes_during_a_request_is_left_its_work(app, ran):
    task(app, "note").enqueue("a")
    with ExitStack() as stack:
        request(CronqMiddleware(site(work=lambda: stack.enter_context(living(app.state))), app))
        assert ran == []


def test_inline_work_never_makes_itself_look_like_a_consumer(app):
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert not os.path.exists(app.state.alive("normal"))


def test_a_request_that_is_no_page_view_runs_no_more_than_it_enqueued(app, ran):
    task(app, "note").enqueue_many([(("old",), {}), (("older",), {})])
    request(
        CronqMiddleware(site("303 See Other", [("Location", "/")], work=lambda: task(app, "note").enqueue("own")), app),
        "POST",
    )
    assert len(ran) == 1


def test_an_api_request_that_enqueued_nothing_runs_nothing(app, ran):
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(headers=[("Content-Type", "application/json")]), app))
    assert ran == []


def test_a_predicate_for_page_views_that_is_a_coroutine_is_refused(app):
    async def page_view(environ, headers):
        return True

    with pytest.raises(UsageError, match="page_view"):
        CronqMiddleware(site(), app, page_view=page_view)  # type: ignore[arg-type]  # which is the point


def test_the_predicate_for_page_views_can_be_given(app, ran):
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(headers=[]), app, page_view=lambda environ, headers: True))
    assert ran == ["a"]


def test_an_exception_of_a_task_never_reaches_the_response(app):
    task(app, "fail").enqueue()
    assert request(CronqMiddleware(site(), app)) == ("200 OK", b"ok")
    (record,) = app.transport.browse(State.DELAYED)
    assert "never in the response" in (record.error or "")


def test_an_unusable_queue_never_reaches_the_response(app):
    app.state.prepare()
    with open(f"{app.state.path}/queue.db", "wb") as file:
        file.write(b"this is no database" * 100)
    assert request(CronqMiddleware(site(), app)) == ("200 OK", b"ok")


def test_a_task_marked_not_inline_is_left_for_a_consumer(app, ran):
    task(app, "stay").enqueue()
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert ran == ["a"]
    assert app.transport.depth(["normal"], 5) == 1


def test_a_full_batch_is_run_in_one_call_and_one_that_waits_is_not(app, ran):
    def index(texts: list[str]) -> None:
        ran.append(texts)

    batch = app.batch(size=2, wait_s=600, name="index")(index)
    batch.enqueue_many([((text,), {}) for text in "abc"])
    request(CronqMiddleware(site(), app))
    assert ran == [["a", "b"]]
    assert [(one.ready, one.delayed, one.reserved) for one in app.transport.counts()] == [(0, 1, 0)]


def test_a_task_that_wants_a_process_of_its_own_is_left_to_consumers(app, ran):
    app.task(name="alone", isolated=True)(lambda: ran.append("alone"))
    task(app, "alone").enqueue()
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert ran == ["a"]


def test_a_queue_that_wants_processes_of_their_own_is_left_to_consumers(app, ran, home):
    isolating = "[queues.low]\nisolated = true\n"
    (home / "cronq.toml").write_text(f'[inline]\nmode = "inline"\nmemory_limit_mb = 16000\n{isolating}')
    app.installation.settings = load(str(home / "cronq.toml"))
    task(app, "note").using(queue="low").enqueue("low")
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert ran == ["a"]


def test_a_task_known_to_take_longer_than_there_is_time_is_left_for_a_consumer(app, ran):
    app.state.prepare()
    with open(app.state.durations, "w") as file:
        file.write("99.0 note\n")
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert ran == []


def test_a_message_of_a_newer_task_is_left_alone(app, ran):
    app.code = LoadedCode(since=0.0)
    app.transport.enqueue([message("normal", task="new", body=b"{}")])
    task(app, "note").enqueue("a")
    for _ in range(3):
        request(CronqMiddleware(site(), app))
    (waiting,) = app.transport.browse(State.READY)
    assert (ran, waiting.message.task, waiting.message.attempt) == (["a"], "new", 0)


def test_a_message_of_a_removed_task_is_parked_by_code_loaded_since(app, ran):
    app.transport.enqueue([message("normal", task="removed", body=b"{}")])
    app.code = LoadedCode(since=1e12)
    request(CronqMiddleware(site(), app))
    assert [one.message.task for one in app.transport.browse(State.FAILED)] == ["removed"]


def test_only_one_request_at_a_time_works_inline(app, ran):
    from cronq.supervisor import slots

    app.state.prepare()
    held = there(slots.take(app.state, "inline", 1))
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert ran == []
    held.leave("done")


def test_system_exit_of_the_server_passes_and_the_message_comes_back(app: App):
    @app.task(name="killed")
    def killed() -> None:
        signal.raise_signal(signal.SIGTERM)

    def end_worker(number: int, frame: object) -> None:
        raise SystemExit(1)

    task(app, "killed").enqueue()
    before = signal.signal(signal.SIGTERM, end_worker)
    try:
        with pytest.raises(SystemExit):
            request(CronqMiddleware(site(), app))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert app.transport.depth(["normal"], 5) == 1


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, BaseException])
def test_what_a_task_raises_never_reaches_the_server(app, ran, kind):
    @app.task(name="broken", retry=Retry(max_attempts=1))
    def broken() -> None:
        raise kind

    task(app, "broken").enqueue()
    task(app, "note").enqueue("after")
    request(CronqMiddleware(site(), app))
    assert (ran, [counts.failed for counts in app.transport.counts()]) == (["after"], [1])


@pytest.mark.parametrize("kind", [ValueError, SystemExit, asyncio.CancelledError])
def test_a_page_view_that_raises_does_not_reach_the_server(app, ran, kind):
    def page_view(environ, headers):
        raise kind

    task(app, "note").enqueue("a")
    status, _ = request(CronqMiddleware(site(), app, page_view))[:2]
    assert (status[:3], ran) == ("200", [])


def test_the_servers_file_wrapper_comes_back_untouched_and_the_hook_runs(app, ran):
    class Wrapper:
        def __init__(self, file, block_size=8192):
            self.file, self.close = file, file.close

        def __iter__(self):
            return iter([self.file.read()])

    def application(environ, start_response):
        start_response("200 OK", HTML)
        return environ["wsgi.file_wrapper"](io.BytesIO(b"ok"))

    task(app, "note").enqueue("a")
    environ = {"wsgi.file_wrapper": Wrapper, "REQUEST_METHOD": "GET", "SERVER_SOFTWARE": "WSGIServer/0.2"}
    body = CronqMiddleware(application, app)(environ, lambda status, headers: None)
    assert type(body) is Wrapper
    assert environ["wsgi.file_wrapper"] is Wrapper
    close(body)
    assert ran == ["a"]


def test_a_file_inside_a_body_of_the_application_runs_the_hook_once_after_that_bodys_close(app, ran):
    log = []

    class Wrapper:
        def __init__(self, file, block_size=8192):
            self.file, self.close = file, file.close

        def __iter__(self):
            return iter([self.file.read()])

    class Own:
        def __init__(self, inner):
            self.inner = inner

        def __iter__(self):
            return iter(self.inner)

        def close(self):
            self.inner.close()
            log.append(f"own closed, {len(ran)} run")

    def application(environ, start_response):
        start_response("200 OK", HTML)
        return Own(environ["wsgi.file_wrapper"](io.BytesIO(b"ok")))

    task(app, "note").enqueue("a")
    request(CronqMiddleware(application, app), **{"wsgi.file_wrapper": Wrapper})
    assert (log, ran) == (["own closed, 0 run"], ["a"])


def test_inline_work_switched_off_costs_nothing_and_runs_nothing(home, ran):
    (home / "cronq.toml").write_text("[inline]\nqueues = []\n")
    app = App(load(str(home / "cronq.toml")))
    app.task(name="note")(ran.append)
    request(CronqMiddleware(site(), app))
    assert not os.path.exists(app.state.path)


def test_what_a_drain_could_not_settle_comes_back_with_the_next_request_of_the_same_process(app, ran, monkeypatch):
    exchange = app.transport.exchange

    def disk_full(holder, outcomes, want):
        if outcomes:
            raise TransportError("disk full", pressure=True)
        return exchange(holder, outcomes, want)

    task(app, "note").enqueue("a")
    monkeypatch.setattr(app.transport, "exchange", disk_full)
    request(CronqMiddleware(site(), app))
    monkeypatch.setattr(app.transport, "exchange", exchange)
    task(app, "note").enqueue("b")
    request(CronqMiddleware(site(), app))
    assert ran in (["a", "b"], ["a", "a", "b"])
    assert app.transport.held() == []
    assert app.transport.counts() == []


def test_a_web_process_that_has_grown_too_large_does_not_work_and_says_why(home, ran):
    (home / "cronq.toml").write_text('[inline]\nmode = "inline"\nmemory_limit_mb = 16\n')
    app = App(load(str(home / "cronq.toml")))
    app.task(name="note")(ran.append)
    task(app, "note").enqueue("a")
    request(CronqMiddleware(site(), app))
    assert ran == []
    with open(app.state.log) as log:
        assert "memory limit reached" in log.read()
    app.transport.close()


def test_what_an_earlier_request_of_this_process_could_not_write_down_is_taken_back_first(app, ran):
    """The disk was full when its attempt ended. What is noted later in the same slot says nothing of that message."""
    app.state.prepare()
    task(app, "note").enqueue("left behind")
    slot = there(slots.take(app.state, "inline", 1))
    slot.begin(["normal"], 0.0, slots.CONSUMING)
    assert app.transport.exchange(slot.holder, [], Want(["normal"], time.time() + 300, 1, 1)).messages
    slot.note(1)
    slot.leave("the disk was full")
    for number in range(3):
        task(app, "note").enqueue(str(number))
    request(CronqMiddleware(site(), app))
    assert ran == ["left behind", "0", "1", "2"]
    assert app.transport.counts() == []


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EACCES, errno.ENOEXEC])
def test_the_work_goes_on_here_where_no_process_may_be_started(home, ran, monkeypatch, refusal):
    (home / "cronq.toml").write_text('[inline]\nslice = "0.01s"\nmemory_limit_mb = 16000\n')
    app = App(load(str(home / "cronq.toml")))

    @app.task(name="slow")
    def slow(number: int) -> None:
        time.sleep(0.02)  # longer than a slice
        ran.append(number)

    def refuse(self, command):
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr("cronq.runtime.inline_drain.may_start", lambda state: True)
    monkeypatch.setattr("cronq.runtime.inline_drain.TwiceDetached.__call__", refuse)
    for number in range(3):
        task(app, "slow").enqueue(number)
    request(CronqMiddleware(site(), app))
    assert ran == [0, 1, 2]
    app.transport.close()

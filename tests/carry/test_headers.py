from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from cronq import GiveUp, Retry, carry
from cronq.carry.trace_context import Trace
from cronq.schedules.spec import message_of
from cronq.schedules.stored import StoredSchedule
from tests.making import app as make_app
from tests.presence import there
from wsgi_hooks import CronqMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

language: ContextVar[str] = ContextVar("language", default="en")
tenant: ContextVar[int | None] = ContextVar("tenant")

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def app():
    return make_app()


@pytest.fixture
def box(app):
    with app.testing() as box:
        yield box


@pytest.fixture
def seen():
    return []


@pytest.fixture
def look(app, seen):
    """A task that notes what is watched where it runs: the language, until `watch` says what else."""
    watched: list[Callable[[], object]] = [language.get]

    def look() -> None:
        seen.append(watched[0]())

    task = app.task(name="shop.look", retry=Retry(max_attempts=2, jitter=0))(look)
    task.watch = lambda other: watched.__setitem__(0, other)
    return task


@contextmanager
def holding(variable, value):
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def request(app, view, **environ):
    """Send a request through the middleware to a view without arguments."""

    def site(environ, start_response):
        view()
        start_response("200 OK", [])
        return [b""]

    assert CronqMiddleware(site, app)({"REQUEST_METHOD": "POST", **environ}, lambda status, headers: None) == [b""]


# variables


def test_a_variable_has_the_value_it_had_when_the_message_was_enqueued(app, box, look, seen):
    carry.variable(app, language)
    with holding(language, "de"):
        look.enqueue()
    box.run_all()
    assert seen == ["de"]
    assert language.get() == "en"


def test_a_message_without_the_header_runs_with_the_default_of_the_variable(app, box, look, seen):
    look.enqueue()
    carry.variable(app, language)
    with holding(language, "fr"):  # of the web request in which it happens to run, say
        box.run_all()
    assert seen == ["en"]


def test_a_variable_without_a_default_is_none_then(app, box, look, seen):
    carry.variable(app, tenant, to_text=str, from_text=int)
    look.watch(tenant.get)
    look.enqueue()
    with holding(tenant, 7):
        look.enqueue()
    box.run_all()
    assert seen == [None, 7]
    assert box.messages[1].headers == {"tenant": "7"}


def test_a_header_given_by_hand_wins(app, box, look, seen):
    carry.variable(app, language, header="lang")
    with holding(language, "de"):
        look.using(headers={"lang": "it"}).enqueue()
    box.run_all()
    assert seen == ["it"]


def test_what_a_task_enqueues_carries_it_on(app, box, look, seen):
    carry.variable(app, language)
    outer = app.task(name="shop.outer")(lambda: look.enqueue() and None)
    with holding(language, "de"):
        outer.enqueue()
    box.run_all()
    assert seen == ["de"]


def test_a_task_that_changes_a_variable_changes_it_for_itself_alone(app, box, look, seen):
    carry.variable(app, language)
    app.task(name="shop.change")(lambda: language.set("xx") and None).enqueue()
    look.enqueue()
    box.run_all()
    assert seen == ["en"]


def test_the_message_of_a_schedule_runs_with_the_default(app, box, look, seen):
    carry.variable(app, language)
    spec = b'{"task":"shop.look","queue":"normal","args":{},"max_attempts":1}'
    app.transport.enqueue([message_of(StoredSchedule("code", "nightly", "", "", spec, 0.0), 0.0, 0.0)])
    with holding(language, "fr"):
        box.run_all()
    assert seen == ["en"]


# values


def test_a_value_is_read_at_enqueue_and_restored_by_a_context_manager(app, box, look):
    user: list[str | None] = ["ada"]
    steps: list[tuple[str, str | None]] = []

    @contextmanager
    def acting_as(name):
        steps.append(("in", name))
        yield
        steps.append(("out", name))

    carry.value(app, "user", lambda: user[0], acting_as)
    look.enqueue()
    user[0] = None
    look.enqueue()
    box.run_all()
    assert steps == [("in", "ada"), ("out", "ada"), ("in", None), ("out", None)]


def test_a_value_that_is_refused_fails_the_message_and_the_task_does_not_run(app, box, look, seen):
    def refuse(name):
        raise GiveUp(f"no user {name!r}")

    carry.value(app, "user", lambda: "eve", refuse)
    look.enqueue()
    with pytest.raises(GiveUp, match="no user 'eve'"):
        box.run_all()
    assert seen == []


# requests


def test_the_id_of_a_request_is_with_its_messages(app, box, look, seen):
    carry.request_ids(app)
    look.watch(carry.request_id.get)
    request(app, look.enqueue, HTTP_X_REQUEST_ID="abc-123")
    box.run_all()
    assert seen == ["abc-123"]
    assert carry.request_id.get() is None


@pytest.mark.parametrize("given", ["", "x" * 129, "a\nb", "ünknown", "a b"])
def test_a_request_without_a_sound_id_gets_a_new_one(app, box, look, seen, given):
    carry.request_ids(app)
    look.watch(carry.request_id.get)
    request(app, look.enqueue, HTTP_X_REQUEST_ID=given)
    box.run_all()
    assert len(seen[0]) == 32


def test_an_error_in_a_request_ends_what_is_around_it(app):
    def fail():
        raise OSError("down")

    carry.request_ids(app)
    with pytest.raises(OSError, match="down"):
        request(app, fail)
    assert carry.request_id.get() is None


# traces


def trace_of(headers: Mapping[str, str]) -> Trace:
    return there(Trace.read(headers))


def test_the_trace_of_a_request_goes_on_in_its_messages(app, box, look, seen):
    carry.trace(app)
    look.watch(carry.current_trace.get)
    request(app, look.enqueue, HTTP_TRACEPARENT=GIVEN, HTTP_TRACESTATE="a=b")
    box.run_all()
    sent = trace_of(box.messages[0].headers)
    (ran,) = seen
    asked = trace_of({"traceparent": GIVEN})
    assert {sent.trace_id, ran.trace_id} == {asked.trace_id}
    assert (ran.flags, ran.state) == (1, "a=b")
    assert len({asked.span_id, sent.span_id, ran.span_id}) == 3
    assert carry.current_trace.get() is None


def test_every_message_has_a_span_of_its_own(app, box, look):
    carry.trace(app)

    def view():
        look.enqueue()
        look.enqueue()

    request(app, view, HTTP_TRACEPARENT=GIVEN)
    first, second = (trace_of(message.headers) for message in box.messages)
    assert first.trace_id == second.trace_id
    assert first.span_id != second.span_id


def test_every_attempt_is_a_span_of_its_own(app, box, look, seen):
    carry.trace(app)
    spans = []

    def watch():
        spans.append(there(carry.current_trace.get()).span_id)
        if len(spans) == 1:
            raise OSError("down")

    look.watch(watch)
    look.enqueue()
    box.run_all()
    assert len(set(spans)) == 2


def test_a_chain_of_tasks_is_one_trace(app, box, look, seen):
    carry.trace(app)
    look.watch(carry.current_trace.get)
    app.task(name="shop.outer")(lambda: look.enqueue() and None).enqueue()
    box.run_all()
    outer = trace_of(box.of("shop.outer")[0].headers)
    assert seen[0].trace_id == outer.trace_id


@pytest.mark.parametrize("given", ["", "00-x", GIVEN.upper()])
def test_a_request_without_a_valid_trace_begins_one(app, box, look, given):
    carry.trace(app)
    request(app, look.enqueue, HTTP_TRACEPARENT=given)
    assert trace_of(box.messages[0].headers).flags == 0


def test_a_header_that_was_tampered_with_begins_a_new_trace(app, box, look, seen):
    carry.trace(app)
    look.watch(carry.current_trace.get)
    look.using(headers={"traceparent": "nonsense"}).enqueue()
    box.run_all()
    assert isinstance(seen[0], Trace)


def test_a_project_with_opentelemetry_gets_its_own_trace_continued():
    """In a process of its own: what OpenTelemetry is told at start holds for all of it."""
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from cronq import App, carry
from cronq.config.settings import DEFAULT_GROUPS, Settings

memory = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")
app = App(Settings(None, "/", "/nowhere", transport="memory://", groups=DEFAULT_GROUPS))
carry.trace(app)
seen = []

def mail() -> None:
    seen.append(carry.current_trace.get())
    with tracer.start_as_current_span("smtp"):
        pass

task = app.task(name="shop.mail")(mail)
with app.testing() as box:
    with tracer.start_as_current_span("view"):
        task.enqueue()
    box.run_all()
    task.enqueue()
    box.run_all()
spans = memory.get_finished_spans()
view, smtp, attempt = spans[:3]
assert [span.name for span in spans] == ["view", "smtp", "shop.mail", "smtp", "shop.mail"]
assert {span.context.trace_id for span in spans[:3]} == {view.context.trace_id}
assert attempt.parent.span_id == view.context.span_id
assert smtp.parent.span_id == attempt.context.span_id
assert seen[0].span_id == format(attempt.context.span_id, "016x")
assert spans[4].parent is None, "a message that nobody's span enqueued is recorded as well"
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_opentelemetry_is_not_imported_for_a_project_without_it():
    code = """
import sys
from cronq import App, carry
from cronq.config.settings import DEFAULT_GROUPS, Settings
app = App(Settings(None, "/", "/nowhere", transport="memory://", groups=DEFAULT_GROUPS))
carry.trace(app)
task = app.task(name="x")(lambda: None)
with app.testing() as box:
    task.enqueue()
    box.run_all()
sys.exit("opentelemetry" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

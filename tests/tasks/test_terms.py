import gc
from dataclasses import dataclass
from math import inf
from uuid import UUID

import pytest

from cronq import MaxRunning, Unique
from cronq.app import App
from cronq.config.settings import Queue
from cronq.errors import ArgumentError, UsageError
from cronq.messages.message import UNTIL_DONE, WHILE_WAITING, State
from cronq.tasks.context import Context
from tests.clocks import FakeClock
from tests.making import app as make_app


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def app(clock):
    return make_app(clock)


def send(to: str, subject: str = "Hi") -> None:
    """What tasks are made of here."""


def queued(app, state=State.READY):
    return [record.message for record in app.transport.browse(state)]


def test_the_key_of_a_task_is_filled_with_the_arguments_of_a_call_defaults_included(app):
    app.task(unique="mail:{to}:{subject}", name="send")(send).enqueue("ada")
    (message,) = queued(app)
    assert (message.unique_key, message.unique_until) == ("send mail:ada:Hi", UNTIL_DONE)


def test_a_key_is_the_same_however_the_arguments_were_given(app):
    task = app.task(unique="{to}", name="send")(send)
    first, second = task.enqueue("ada"), task.enqueue(to="ada")
    assert first.id == second.id
    assert len(queued(app)) == 1


def test_a_key_may_be_made_by_a_function_of_the_arguments(app):
    task = app.task(unique=lambda to, subject="": to.lower(), name="send")(send)
    task.enqueue("Ada", subject="x")
    assert queued(app)[0].unique_key == "send ada"


def test_the_same_key_of_two_tasks_is_two_keys(app):
    for name in ("a", "b"):
        app.task(unique="k", name=name)(send).enqueue("ada")
    assert len(queued(app)) == 2


def test_other_types_than_text_stand_in_a_key_as_they_are_written(app: App):
    @app.task(unique="{one}", name="t")
    def task(one: UUID) -> None: ...

    task.enqueue(UUID(int=5))
    assert queued(app)[0].unique_key == f"t {UUID(int=5)}"


def test_one_call_may_be_unique_when_its_task_is_not(app):
    task = app.task(name="send")(send)
    refs = [task.using(unique="mail:{to}").enqueue("ada") for _ in range(2)]
    assert refs[0].id == refs[1].id


@pytest.mark.parametrize(
    ("until", "expected"), [("done", UNTIL_DONE), ("waiting", WHILE_WAITING), (60, 1_000_000_060.0)]
)
def test_a_key_counts_until_it_is_said(app, until, expected):
    app.task(unique=Unique("k", until=until), name="send")(send).enqueue("ada")
    assert queued(app)[0].unique_until == expected


def test_a_replacing_call_gives_the_waiting_message_its_arguments(app):
    task = app.task(unique=Unique("k", replace=True), name="send")(send)
    first, second = task.enqueue("ada"), task.enqueue("eve")
    (message,) = queued(app)
    assert (message.id, b"eve" in message.body, second.id) == (first.id, True, first.id)


def test_a_debounced_task_runs_once_with_the_last_arguments_when_the_calls_have_stopped(app, clock):
    task = app.task(unique="{subject}", debounce_s=5, name="send")(send)
    for to in ("ada", "eve", "bob"):
        task.enqueue(to)
        clock.advance(3)
    (message,) = queued(app, State.DELAYED)
    assert (message.available_at, b"bob" in message.body) == (clock.now() + 2, True)


def test_a_debounced_task_without_a_key_is_one_message(app):
    task = app.task(debounce_s=5, name="send")(send)
    task.enqueue("ada")
    task.enqueue("eve")
    assert [one.unique_key for one in queued(app, State.DELAYED)] == ["send"]


def test_a_running_key_is_the_task_unless_it_is_given(app):
    app.task(max_running=2, name="a")(send).enqueue("ada")
    app.task(max_running=MaxRunning(3, key="smtp:{to}"), name="b")(send).enqueue("ada")
    assert [(one.running_key, one.max_running) for one in queued(app)] == [("a", 2), ("smtp:ada", 3)]


def test_terms_of_a_call_leave_the_other_terms_of_its_task_in_force(app):
    task = app.task(max_running=2, unique="a", name="t")(send)
    task.using(unique=Unique("b", replace=True)).enqueue("ada")
    (message,) = queued(app)
    assert (message.unique_key, message.running_key) == ("t b", "t")


def test_many_calls_in_one_have_a_key_each(app):
    task = app.task(unique="{to}", name="send")(send)
    refs = task.enqueue_many(((to,), {}) for to in ("ada", "eve", "ada"))
    assert refs[2].id == refs[0].id != refs[1].id


def test_a_ref_learns_whose_it_is_when_the_outbox_is_sent(app):
    task = app.task(unique="{to}", name="send")(send)
    standing = task.enqueue("ada")
    with app.outbox():
        ref = task.enqueue("ada")
        assert ref.id != standing.id
    assert ref.id == standing.id
    assert ref.status == "ready"


def test_refs_that_nobody_holds_are_not_remembered(app):
    task = app.task(unique="{to}", name="send")(send)
    task.enqueue("ada")
    gc.collect()
    assert len(app.enqueuer.refs._open) == 0


def test_a_plain_message_carries_no_terms(app):
    app.task(name="send")(send).enqueue("ada")
    (message,) = queued(app)
    assert (message.unique_key, message.running_key, message.max_running) == (None, None, 0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"unique": 7}, "must be text"),
        ({"unique": ""}, "must be text"),
        ({"unique": "mail:{recipient}"}, "'recipient' is none of its parameters"),
        ({"unique": "mail:{to.}"}, "between braces stands the name of a parameter"),
        ({"unique": "mail:{0}"}, "between braces stands the name of a parameter"),
        ({"unique": "mail:{to!r}"}, "between braces"),
        ({"unique": "mail:{to:>9}"}, "between braces"),
        ({"unique": "mail:{to"}, "braces"),
        ({"max_running": 0}, "whole number from 1"),
        ({"max_running": "2"}, "whole number from 1"),
        ({"max_running": True}, "whole number from 1"),
        ({"rate": "10/x"}, "is no rate"),
        ({"rate": 10}, "is no rate"),
        ({"debounce_s": -1}, "debounce_s = -1"),
        ({"debounce_s": "5"}, "debounce_s = '5'"),
        ({"unique": Unique("k"), "debounce_s": 5}, 'until="waiting"'),
    ],
)
def test_terms_that_cannot_be_are_refused_where_the_task_is_made(app, options, reason):
    with pytest.raises(UsageError, match="send") as refused:
        app.task(**options)(send)
    assert reason in str(refused.value)


@pytest.mark.parametrize("until", ["later", -1, 0, inf, None, True])
def test_a_key_cannot_count_until_just_anything(until):
    with pytest.raises(ValueError, match="until"):
        Unique("k", until=until)


@pytest.mark.parametrize("given", [7, None, b"k", "", "k" * 201, "\ud800"])
def test_a_function_whose_key_is_none_is_refused_with_the_call(app, given):
    task = app.task(unique=lambda to: given, name="send")(send)
    with pytest.raises(ArgumentError, match="task send: the key of unique"):
        task.enqueue("ada")
    assert queued(app) == []


@pytest.mark.parametrize("delivery", [{"unique": 7}, {"unique": "{to"}, {"debounce_s": -1}, {"delay_s": -1}])
def test_terms_of_a_call_that_cannot_be_are_refused(app, delivery):
    task = app.task(name="send")(send)
    with pytest.raises((ValueError, TypeError)):
        task.using(**delivery)


def test_a_key_of_a_call_that_names_no_argument_is_refused(app):
    with pytest.raises(ArgumentError, match="no argument 'recipient'"):
        app.task(name="send")(send).using(unique="{recipient}").enqueue("ada")


def test_handlers_have_terms_too(app):
    @dataclass
    class Zip:
        file: str

    def handle(message: Zip, context: Context) -> None: ...

    handler = app.handler(unique=lambda message: message.file, queue="low", name="zip")(handle)
    handler.enqueue(Zip("a"))
    handler.enqueue(Zip("a"))
    assert [one.unique_key for one in queued(app)] == ["zip a"]


def test_consumers_bring_the_rates_of_tasks_and_queues(home):
    app = make_app(FakeClock(), home, queues={"low": Queue("low", rate="3/m")})
    app.task(name="seldom", rate="1/m")(send)
    assert app.definitions.rates() == {"task:seldom": (1, 60), "queue:low": (3, 60)}

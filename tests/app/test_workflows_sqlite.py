"""Workflows and shared transactions on SQLite."""

from __future__ import annotations

import sqlite3

import pytest

from cronq import RESULT, Failure, Retry, UsageError
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.lifetime import Leaving
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.rest import NoRest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.messages.message import State
from cronq.transports.exchange import Evidence, Want
from tests.consumer.crew import Post
from tests.making import app as make_app


@pytest.fixture
def app(home):
    made = make_app(home=home, transport="sqlite:///queue.db")
    made.state.prepare()
    yield made
    made.transport.close()


def drain(app):
    tally = Tally()
    conditions = Conditions(Leaving(tally), tally, NoRest(), app.clock, BatchSize(), followed=app.enqueuer.announce)
    duty = Duty(["high", "normal", "low"], 300, stop_when_empty=True)
    Consumer(app.transport, Runner(app.runner_tasks(), app.clock), duty, Post(), conditions).run()


def test_a_group_inside_a_chain(app):
    ran = []

    def add(one: int, two: int) -> int:
        return one + two

    def total(values: list[int]) -> int:
        ran.append(values)
        return sum(values)

    add_it, sum_up = app.task(name="add")(add), app.task(name="total")(total)
    group = app.group(add_it.call(RESULT, 1), app.chain(add_it.call(RESULT, 2), add_it.call(RESULT, 3)))
    ref = app.chain(add_it.call(1, 1), group, sum_up.call(RESULT), add_it.call(RESULT, 0)).enqueue()
    drain(app)
    assert ran == [[3, 7]]
    assert ref.status == "done"
    app.transport.prune(0, 100)  # results of parts are kept as long as their group needs them
    assert app.transport.counts() == []


def test_a_failure_that_the_tick_finds_calls_the_callback(app):
    told = []

    def tell(failure: Failure) -> None:
        told.append((failure.task, failure.arguments, failure.error_class))

    tell_it = app.task(name="tell")(tell)
    app.task(name="die", retry=Retry(max_attempts=1), on_failure=tell_it)(lambda number: None).enqueue(5)
    app.transport.exchange("web1/high.0/1/1/b", [], Want(["normal"], 0.0, 1, 1))
    app.transport.rescue("web1/high.0/1/1/b", Evidence("killed", running=1, certain=True))
    drain(app)
    assert told == [("die", {"number": 5}, "Killed")]


def test_under_a_prefix_a_rescue_calls_the_callback_too(home):
    app = make_app(home=home, transport="sqlite:///queue.db", queue_prefix="shop:")
    app.state.prepare()
    told = []

    def tell(failure: Failure) -> None:
        told.append(failure.arguments)

    tell_it = app.task(name="tell")(tell)
    app.task(name="die", retry=Retry(max_attempts=1), on_failure=tell_it)(lambda number: None).enqueue(5)
    app.transport.exchange("web1/high.0/1/1/b", [], Want(["normal"], 0.0, 1, 1))
    app.transport.rescue("web1/high.0/1/1/b", Evidence("killed", running=1, certain=True))
    drain(app)
    assert told == [{"number": 5}]
    app.transport.close()


def note(text: str) -> None: ...


@pytest.mark.parametrize("row_factory", [None, sqlite3.Row, lambda cursor, row: {"row": row}])
@pytest.mark.parametrize("commits", [True, False])
def test_a_message_shares_the_fate_of_the_callers_transaction(app, commits, row_factory):
    task = app.task(name="note")(note)
    app.transport.counts()
    theirs = sqlite3.connect(f"{app.state.path}/queue.db")
    theirs.row_factory = row_factory
    theirs.execute("CREATE TABLE orders (id INTEGER)")
    theirs.execute("INSERT INTO orders VALUES (1)")
    app.enqueue_in(theirs, task.call("a"), task.using(delay_s=60).call("b"))
    assert app.transport.counts() == []
    theirs.commit() if commits else theirs.rollback()
    theirs.close()
    states = [state for state in (State.READY, State.DELAYED) if app.transport.browse(state)]
    assert states == ([State.READY, State.DELAYED] if commits else [])


def test_a_wrapped_connection_is_found(app):
    task = app.task(name="note")(note)
    app.transport.counts()
    theirs = sqlite3.connect(f"{app.state.path}/queue.db")
    wrapper = type("Wrapper", (), {"connection": type("Proxy", (), {"driver_connection": theirs})()})()
    app.enqueue_in(wrapper, task.call("a"))
    theirs.commit()
    theirs.close()
    assert len(app.transport.browse(State.READY)) == 1


def test_another_database_is_refused(app, home):
    task = app.task(name="note")(note)
    app.transport.counts()
    for path, why in ((":memory:", "in memory"), (f"{home}/other.db", "other.db")):
        theirs = sqlite3.connect(path)
        with pytest.raises(UsageError, match=why):
            app.enqueue_in(theirs, task.call("a"))
        theirs.close()
    with pytest.raises(UsageError, match="leads to no"):
        app.enqueue_in(object(), task.call("a"))


def test_a_connection_that_commits_each_statement_is_refused(app):
    task = app.task(name="note")(note)
    app.transport.counts()
    theirs = sqlite3.connect(f"{app.state.path}/queue.db", isolation_level=None)
    with pytest.raises(UsageError, match="no transaction"):
        app.enqueue_in(theirs, task.call("a"))
    theirs.close()


def test_queues_in_memory_are_part_of_no_transaction():
    app = make_app()
    with pytest.raises(UsageError, match="no database"):
        app.enqueue_in(object(), app.task(name="note")(note).call("a"))

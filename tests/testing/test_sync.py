from __future__ import annotations

import asyncio
import threading

import pytest

from cronq import RESULT, Context, Failure, GiveUp, PartlyFailed, Retry, events
from cronq.messages.message import State
from tests.making import app as make_app


@pytest.fixture
def app():
    return make_app(transport="sync://")


@pytest.fixture
def done():
    return []


@pytest.fixture
def note(app, done):
    def note(text: str) -> None:
        done.append(text)

    return app.task(name="shop.note")(note)


def test_an_enqueued_message_has_run_when_enqueue_returns(note, done):
    ref = note.enqueue("a")
    assert done == ["a"]
    assert ref.status == "gone"


def test_an_exception_reaches_the_caller_at_the_first_attempt(app, done):
    def fail(context: Context) -> None:
        done.append(context.attempt)
        raise OSError("down")

    task = app.task(name="shop.fail", retry=Retry(max_attempts=5))(fail)
    with pytest.raises(OSError, match="down"):
        task.enqueue()
    assert done == [1]
    assert [one.error_class for one in app.transport.browse(State.FAILED)] == ["OSError"]


def test_what_is_no_exception_reaches_the_caller_when_all_have_run(app, note, done):
    def cancelled() -> None:
        note.using(immediately=True).enqueue("after")
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        app.task(name="shop.cancelled")(cancelled).enqueue()
    assert (done, [one.error_class for one in app.transport.browse(State.FAILED)]) == (["after"], ["CancelledError"])


def test_a_failed_message_is_not_run_again_by_the_next(app, note, done):
    def fail() -> None:
        raise GiveUp("no")

    with pytest.raises(GiveUp):
        app.task(name="shop.fail")(fail).enqueue()
    note.enqueue("after")
    assert done == ["after"]


def test_what_a_task_enqueues_runs_after_it_and_before_its_own_enqueue_returns(app, note, done):
    def outer() -> None:
        note.enqueue("inner")
        done.append("outer")

    app.task(name="shop.outer")(outer).enqueue()
    assert done == ["outer", "inner"]


def test_a_failure_callback_has_run_when_the_exception_reaches_the_caller(app, done):
    def tell(failure: Failure) -> None:
        done.append(failure.error)

    def fail() -> None:
        raise GiveUp("no")

    told = app.task(name="shop.tell")(tell)
    with pytest.raises(GiveUp):
        app.task(name="shop.fail", on_failure=told)(fail).enqueue()
    assert done == ["no"]


def test_what_is_enqueued_together_runs_whatever_becomes_of_the_first(app, note, done):
    def fail() -> None:
        raise GiveUp("no")

    def both() -> None:
        with app.outbox():
            failing.enqueue()
            note.enqueue("after")

    failing = app.task(name="shop.fail")(fail)
    with pytest.raises(GiveUp):
        both()
    assert done == ["after"]


def test_the_steps_of_a_chain_have_run_when_it_is_enqueued(app, done):
    def double(number: int) -> int:
        done.append(number)
        return 2 * number

    task = app.task(name="shop.double")(double)
    assert app.chain(task.call(1), task.call(RESULT)).enqueue().status == "done"
    assert done == [1, 2]


def test_an_outbox_runs_at_its_end(app, note, done):
    with app.outbox():
        note.enqueue("a")
        assert done == []
    assert done == ["a"]


def test_an_outbox_that_fails_runs_nothing(app, note, done):
    def failing():
        with app.outbox():
            note.enqueue("a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert done == []


def test_a_delay_is_not_waited_for(note, done):
    note.using(delay_s=3600).enqueue("a")
    assert done == ["a"]


def test_a_higher_priority_goes_first(note, done, app):
    with app.outbox():
        note.enqueue("a")
        note.using(priority=5).enqueue("b")
    assert done == ["b", "a"]


def test_each_thread_runs_its_own_messages(app):
    """A thread that is in the middle of a task must not find another thread's message, nor its exception."""
    ran_in, started, go_on = {}, threading.Event(), threading.Event()

    def slow(name: str) -> None:
        ran_in[name] = threading.current_thread().name
        if name == "first":
            started.set()
            assert go_on.wait(60)

    task = app.task(name="shop.slow")(slow)
    with app.outbox() as outbox:
        task.enqueue("first")
        thread = threading.Thread(target=app.enqueuer.send, args=(outbox.messages,), name="other")
        outbox.messages = []
        thread.start()
        assert started.wait(60)
    task.enqueue("second")
    go_on.set()
    thread.join()
    assert ran_in == {"first": "other", "second": threading.current_thread().name}


def test_what_is_kept_goes_when_its_time_is_over(app):
    def answer() -> int:
        return 42

    task = app.task(name="shop.answer", result_ttl_s=1e-9)(answer)
    for _ in range(10):
        task.enqueue()
    assert len(app.transport.browse(State.DONE)) <= 1


def test_events_tell_of_a_failure(app):
    heard = []
    events.listeners.append(lambda name, facts: heard.append((name, str(facts.get("error")))))

    def fail() -> None:
        raise OSError("down")

    with pytest.raises(OSError, match="down"):
        app.task(name="shop.fail")(fail).enqueue()
    assert heard == [("submitted", "None"), ("reserved", "None"), ("failed", "down")]


def test_items_of_a_batch_are_run_alone_at_once(app, done):
    def index(items: list[str]) -> None:
        if items == ["bad"]:
            raise PartlyFailed({0: OSError("down")})
        done.append(items)

    task = app.batch(size=9, wait_s=60, name="shop.index")(index)
    task.enqueue("a")
    task.enqueue("b")
    assert done == [["a"], ["b"]]
    with pytest.raises(OSError, match="down"):
        task.enqueue("bad")

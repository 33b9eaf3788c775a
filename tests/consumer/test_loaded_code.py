"""What was enqueued after the code of a consumer was loaded, and does not fit it, waits for one of newer code."""

from __future__ import annotations

import pytest

from cronq import events
from cronq.consumer.loaded_code import LOOK_AGAIN_S, LoadedCode
from cronq.messages.message import State
from cronq.messages.rate import parse
from tests.consumer.batches import Batch
from tests.consumer.crew import Crew
from tests.making import message

END = 1e12  # of all time: whatever is enqueued was enqueued before


def old(**options) -> Crew:
    """A consumer whose code is older than everything that a test enqueues."""
    return Crew(code=LoadedCode(since=0.0), **options)


def new_task(**fields):
    return message(task="shop.new", body=b"{}", **fields)


def standing(crew: Crew) -> list[tuple[str, State, int]]:
    found = [record for state in State for record in crew.transport.browse(state)]
    return [(record.message.task, record.state, record.message.attempt) for record in found]


def test_a_message_of_a_newer_task_keeps_its_attempt_and_others_are_run():
    crew = old()
    crew.transport.enqueue([new_task()])
    crew.task().enqueue(1)
    crew.step(4)
    assert (crew.ran, standing(crew)) == ([1], [("shop.new", State.READY, 0)])
    assert (crew.tally.messages, crew.tally.failures) == (1, 0)


def test_it_is_left_out_of_the_query_from_then_on():
    crew = old()
    crew.transport.enqueue([new_task()])
    crew.step(2)
    crew.transport.enqueue([new_task() for _ in range(9)])
    before = len(crew.transport.exchanges)
    crew.step(5)
    outcomes = [outcome for outcomes, _ in crew.transport.exchanges[before:] for outcome in outcomes]
    assert (outcomes, crew.transport.held(), len(standing(crew))) == ([], [], 10)


def test_a_consumer_of_code_loaded_since_runs_it():
    crew = old()
    crew.transport.enqueue([new_task()])
    crew.step(2)
    crew.consumer._runner.leave_to_newer_code(LoadedCode(since=END))
    crew.app.task(name="shop.new")(lambda: crew.ran.append("new"))
    crew.step()
    assert (crew.ran, crew.step(), crew.transport.counts()) == (["new"], None, [])


def test_a_consumer_of_code_loaded_since_that_does_not_know_it_either_parks_it():
    crew = old()
    crew.transport.enqueue([new_task()])
    crew.step(2)
    crew.consumer._runner.leave_to_newer_code(LoadedCode(since=END))
    crew.step(2)
    assert standing(crew) == [("shop.new", State.FAILED, 1)]


@pytest.mark.parametrize("kind", ["ready", "delayed", "under a rate"])
def test_an_idle_consumer_does_not_spin_on_what_it_leaves_out(kind):
    rates = {"queue:high": parse("1/m")} if kind == "under a rate" else {}
    crew = old(rates=rates)
    crew.transport.enqueue([new_task()])
    crew.step(2)
    delay_s = 3.0 if kind == "delayed" else 0.0
    crew.transport.enqueue([new_task(available_at=crew.clock.now() + delay_s if delay_s else 0.0) for _ in range(3)])
    crew.bells.waits.clear()
    crew.step(20)
    assert (len(crew.bells.waits) >= 19, set(crew.bells.waits)) == (True, {5.0})


def test_it_leaves_when_nothing_else_is_there():
    crew = old(stop_when_empty=True)
    crew.transport.enqueue([new_task(), new_task(), message(task="shop.newer")])
    crew.task().enqueue(1)
    assert crew.consumer.run() == "all queues are empty"
    assert (crew.ran, len(standing(crew))) == ([1], 3)


def test_many_that_were_reserved_at_once_go_back_in_one_commit():
    crew = old(batch=100)
    crew.transport.enqueue([new_task() for _ in range(50)])
    crew.task().enqueue(1)
    crew.step(3)
    given_back = [outcomes for outcomes, _ in crew.transport.exchanges if outcomes]
    assert (crew.ran, given_back[0], len(given_back)) == ([1], ["Release"] * 50, 2)
    assert {attempt for _, _, attempt in standing(crew)} == {0}


def test_a_batch_of_a_newer_task_goes_back_as_a_whole():
    crew = old()
    crew.transport.enqueue([new_task(gather=3) for _ in range(3)])
    crew.step(3)
    assert standing(crew) == [("shop.new", State.READY, 0)] * 3


def test_newer_arguments_keep_their_attempt_and_are_offered_again_a_little_later():
    crew = old()
    crew.task().enqueue(1)
    crew.transport.enqueue([message(task="shop.remember", body=b'{"value":1,"more":2}')])
    crew.task().enqueue(2)
    crew.step(4)
    (waiting,) = crew.transport.browse(State.DELAYED)
    assert (crew.ran, waiting.message.attempt) == ([1, 2], 0)
    assert waiting.message.available_at <= crew.clock.now() + LOOK_AGAIN_S


def test_newer_arguments_among_a_batch_are_left_and_the_others_run():
    crew = old()
    batch = Batch(crew)
    batch.send(1)
    crew.transport.enqueue([message(queue="normal", task="shop.index", body=b'{"items":"two"}', gather=3)])
    batch.send(3)
    crew.clock.advance(5)
    crew.step(3)
    assert batch.calls == [[1, 3]]
    assert standing(crew) == [("shop.index", State.DELAYED, 0)]


def test_older_messages_that_do_not_fit_are_parked_at_once():
    crew = Crew(code=LoadedCode(since=END))
    crew.task()
    crew.transport.enqueue([new_task(), message(task="shop.remember", body=b"{}")])
    crew.step(3)
    assert [state for _, state, _ in standing(crew)] == [State.FAILED] * 2


def test_what_is_left_for_newer_code_is_told(monkeypatch):
    heard = []
    monkeypatch.setattr(events, "listeners", [lambda name, facts: heard.append((name, str(facts.get("error"))))])
    crew = old()
    crew.transport.enqueue([new_task()])
    crew.step(2)
    ((name, error),) = heard
    assert name == "left_for_newer_code"
    assert error.startswith("no task is named shop.new; this app has 0 tasks")

"""Tasks and message classes that go to several queues."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cronq import RESULT, App, LowPriority, Unique, UsageError
from cronq.messages.message import State
from cronq.schedules.spec import message_of
from tests import making


@dataclass
class Placed(LowPriority):
    order: int


def charge(order: int) -> None: ...


def thank(placed: Placed) -> None: ...


def count(placed: Placed) -> None: ...


def told(failure: dict[str, object]) -> None: ...


@pytest.fixture
def app() -> App:
    return making.app(routing={f"{__name__}.Placed": ("high", "low"), "shop.charge": ("normal", "high")})


def waiting(app: App) -> list[tuple[str, str]]:
    found = [(one.message.task.rpartition(".")[2], one.message.queue) for one in app.transport.browse(State.READY)]
    return sorted(found)


def test_a_class_is_one_message_in_each_queue_for_each_of_its_handlers(app):
    app.handler(thank)
    app.handler(count)
    refs = app.dispatch(Placed(7))
    assert waiting(app) == [("count", "high"), ("count", "low"), ("thank", "high"), ("thank", "low")]
    assert len({ref.id for ref in refs}) == 4


def test_they_come_together_or_not_at_all(app, monkeypatch):
    app.handler(thank)
    sent = []

    def enqueue(messages, wake):
        sent.append(messages)

    monkeypatch.setattr(app.transport, "enqueue", enqueue)
    app.dispatch(Placed(7))
    assert [[one.queue for one in messages] for messages in sent] == [["high", "low"]]


def test_the_configuration_routes_a_task_by_its_name(app):
    task = app.task(name="shop.charge", queue="low")(charge)
    ref = task.enqueue(7)
    assert waiting(app) == [("charge", "high"), ("charge", "normal")]
    assert app.transport.find(ref.id).message.queue == "normal"  # the first that is said


def test_a_task_says_several_queues_itself_and_refs_of_many_calls_begin_with_the_first(app):
    task = app.task(queue=("low", "high"))(charge)
    refs = task.enqueue_many([((7,), {}), ((8,), {})])
    queues = [app.transport.find(ref.id).message.queue for ref in refs]
    assert queues == ["low", "low", "high", "high"]


def test_one_call_may_name_one_queue(app):
    app.task(queue=("low", "high"))(charge).using(queue="normal").enqueue(7)
    assert waiting(app) == [("charge", "normal")]


def test_a_unique_key_holds_in_each_queue(app):
    task = app.task(queue=("low", "high"), unique=Unique("{order}"))(charge)
    task.enqueue(7)
    task.enqueue(7)
    assert waiting(app) == [("charge", "high"), ("charge", "low")]


def test_a_call_for_one_of_the_queues_has_the_key_of_that_queue(app):
    task = app.task(queue=("low", "high"), unique=Unique("{order}"))(charge)
    alone = task.using(queue="high").enqueue(7)
    task.enqueue(7)
    again = task.using(queue="high").enqueue(7)
    assert waiting(app) == [("charge", "high"), ("charge", "low")]
    assert again == alone


def test_so_has_a_run_of_a_schedule(app):
    task = app.task(queue=("low", "high"), unique=Unique("{order}"))(charge)
    app.cron("0 * * * *", args={"order": 7}, queue="high")(task)
    (ref,) = app.enqueue(task.using(queue="high").call(7))
    (entry,) = app.declarations.entries()
    assert message_of(entry, 0.0, 0.0).unique_key == app.transport.find(ref.id).message.unique_key


def test_a_step_of_a_workflow_is_one_message_so_it_says_which_queue(app):
    task = app.task(queue=("low", "high"))(charge)
    with pytest.raises(UsageError, match=r"several queues \(low, high\)"):
        app.chain(task.call(7), task.call(RESULT)).enqueue()
    app.chain(task.using(queue="low").call(7)).enqueue()
    assert waiting(app) == [("charge", "low")]


def test_so_does_a_schedule(app):
    app.cron("0 * * * *", args={"order": 7})(app.task(queue=("low", "high"))(charge))
    app.cron("0 * * * *", args={"order": 7}, queue="low", name="other")(app.registry.get(f"{__name__}.charge"))
    refused, fine = app.declarations.entries()
    assert "several queues (low, high)" in str(refused.refused)
    assert fine.refused is None


@pytest.mark.parametrize("queue", [(), ("low", "low"), ("low", ""), ("low", None), 7])
def test_what_can_be_no_queues_is_refused_where_it_stands(app, queue):
    with pytest.raises(UsageError, match="queue = "):
        app.task(queue=queue)(charge)


def test_a_queue_that_nobody_serves_is_refused(app):
    with pytest.raises(UsageError, match="'mial'"):
        app.task(queue=("low", "mial"))(charge).enqueue(7)
    assert waiting(app) == []

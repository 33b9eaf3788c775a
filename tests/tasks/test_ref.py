"""What a ref tells of its message, and when it looks."""

from __future__ import annotations

import pickle
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cronq.errors import NoResult, UsageError, WaitTimeout
from cronq.messages.message import Ack, Fail
from cronq.transports.exchange import Want
from tests import making
from tests.clocks import FakeClock

ME = "web1/high.0/100/5/boot0001/0"


@dataclass
class Total:
    amount: int
    at: datetime


def add(a: int, b: int) -> Total:
    return Total(a + b, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def app():
    return making.app(FakeClock())


@pytest.fixture
def task(app):
    return app.task(name="shop.add", result_ttl_s=60)(add)


def ended(app, outcome) -> None:
    (got,) = app.transport.exchange(ME, [], Want(["normal"], 1e12, 1, 1)).messages
    app.transport.exchange(ME, [outcome(got)], None)


def dropped_with_its_outbox(app, task):
    with suppress(ZeroDivisionError), app.outbox():
        ref = task.enqueue(1, 2)
        raise ZeroDivisionError
    return ref


def why_none(ref) -> str:
    with pytest.raises(NoResult) as caught:
        _ = ref.result
    return str(caught.value)


def test_a_result_has_the_type_that_its_task_returns(app, task):
    with app.testing() as box:
        ref = task.enqueue(1, 2)
        box.run_all()
        assert ref.result == Total(3, datetime(2026, 3, 1, tzinfo=UTC))
        assert app.ref(ref.id).result == ref.result


def test_a_result_of_another_type_than_was_said_is_what_it_is(app, task):
    ref = task.enqueue(1, 2)
    ended(app, lambda got: Ack(got, b'"three"', 60))
    assert ref.result == "three"


def test_a_result_of_a_task_that_is_not_known_here_is_as_json_has_it(app, task):
    ref = task.enqueue(1, 2)
    ended(app, lambda got: Ack(got, b'{"amount":3}', 60))
    other = making.app()
    other.installation.transport = app.transport
    assert other.ref(ref.id).result == {"amount": 3}


def test_a_ref_says_why_there_is_no_result(app, task):
    ref = task.enqueue(1, 2)
    assert "no result yet, it is ready" in why_none(ref)
    ended(app, lambda got: Fail(got, "Traceback\n  ...\nValueError: no"))
    assert why_none(ref.refresh()).endswith("it failed for good: ValueError: no")
    kept = task.enqueue(1, 2)
    ended(app, lambda got: Ack(got, None, 60))
    assert "was not kept: give its task result_ttl_s" in why_none(kept)
    gone = task.enqueue(1, 2)
    ended(app, Ack)
    assert (gone.status, "it has finished or was removed" in why_none(gone)) == ("gone", True)
    assert "there is no message of that id" in why_none(app.ref("no such id"))


@pytest.fixture
def looks(app, monkeypatch):
    """The ids that were looked for."""
    found: list[str] = []
    find = app.transport.find

    def look(message_id):
        found.append(message_id)
        return find(message_id)

    monkeypatch.setattr(app.transport, "find", look)
    return found


def test_whoever_asks_again_and_again_sees_the_message_come_to_its_end(app, task, looks):
    ref = task.enqueue(1, 2)
    assert (ref.status, ref.status) == ("ready", "ready")
    ended(app, lambda got: Ack(got, b"3", 60))
    assert ref.status == "done"
    assert len(looks) == 3


def test_what_the_last_look_has_seen_of_a_message_that_is_over_costs_nothing_more(app, task, looks):
    ref = task.enqueue(1, 2)
    ended(app, lambda got: Fail(got, "no"))
    assert (ref.status, ref.error, ref.status) == ("failed", "no", "failed")
    assert len(looks) == 1
    app.transport.revive([ref.id])
    assert (ref.status, ref.refresh().status) == ("failed", "ready")


def test_a_message_in_an_outbox_is_held_then_there_or_dropped(app, task):
    with app.outbox():
        with app.outbox():
            ref = task.enqueue(1, 2)
        assert (ref.status, "held in an outbox" in why_none(ref)) == ("held", True)
        with pytest.raises(UsageError, match="is held in an outbox: wait for it behind the `with` block"):
            ref.wait(5)
    assert ref.status == "ready"
    dropped = dropped_with_its_outbox(app, task)
    assert (dropped.status, "dropped with its outbox" in why_none(dropped)) == ("dropped", True)


def test_an_absorbed_message_is_followed_under_the_id_of_the_one_that_stands(app, task):
    standing = task.using(unique="x").enqueue(1, 2)
    with app.outbox():
        ref = task.using(unique="x").enqueue(1, 2)
        assert ref.status == "held"
    assert (ref.id, ref.status) == (standing.id, "ready")
    assert ref == standing


def test_refs_are_equal_by_id_and_survive_a_pickle(app, task):
    ref = task.enqueue(1, 2)
    again = pickle.loads(pickle.dumps(ref))  # noqa: S301 - our own, of a line before
    assert (again == ref, hash(again) == hash(ref), ref == ref.id, len({ref, again, app.ref(ref.id)})) == (
        True,
        True,
        False,
        1,
    )
    with pytest.raises(UsageError, match=r"knows no app: take app\.ref\(ref\)"):
        _ = again.status
    assert app.ref(again).status == "ready"


def test_waiting_ends_when_the_message_is_over(app, task):
    ref = task.enqueue(1, 2)
    looks = []
    find = app.transport.find

    def found(message_id):
        looks.append(message_id)
        if len(looks) == 3:
            ended(app, lambda got: Ack(got, b"3", 60))
        return find(message_id)

    app.transport.find = found
    assert ref.wait(60).result == 3
    assert app.ref("no such id").wait(60).status == "unknown"


def test_waiting_in_vain_says_so(app, task):
    with pytest.raises(WaitTimeout, match=r"is still ready after 0\.02 s"):
        task.enqueue(1, 2).wait(0.02)
    assert issubclass(WaitTimeout, TimeoutError)

from __future__ import annotations

import asyncio
import os
import signal
import threading
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from cronq import App, Context, CronqError, GiveUp, LowPriority, PartlyFailed, Retry, RetryLater, events
from cronq.messages.message import State
from tests.clocks import FakeClock
from tests.making import app as make_app
from tests.making import settings
from wsgi_hooks import CronqMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class CreateZip(LowPriority):
    file_ids: list[int]


class Shop:
    """A project with a few tasks, and what they did."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.done: list[object] = []
        self.to_fail = 0
        self.mail = app.task(name="shop.mail")(self._mail)
        self.flaky = app.task(name="shop.flaky", retry=Retry(max_attempts=3, delay_s=60, jitter=0))(self._flaky)
        self.order = app.task(name="shop.order", queue="high")(self._order)
        self.zip = app.handler(name="shop.zip")(self._zip)

    def _mail(self, to: str, on: date = date(2026, 1, 1), *more: str) -> None:
        self.done.append(("mail", to))

    def _flaky(self, why: str, context: Context) -> None:
        if context.attempt <= self.to_fail:
            raise OSError(why)
        self.done.append(("flaky", context.attempt))

    def _order(self, product: str) -> None:
        self.mail.enqueue(product)
        self.done.append(("order", product))

    def _zip(self, message: CreateZip) -> None:
        self.done.append(message)


@pytest.fixture
def shop() -> Shop:
    return Shop(make_app())


@pytest.fixture
def box(shop):
    with shop.app.testing() as box:
        yield box


# what is recorded


def test_a_box_records_messages_with_their_arguments_and_runs_none(shop, box):
    shop.mail.enqueue("ada", on=date(2026, 2, 3))
    (message,) = box.messages
    assert (message.task, message.args, message.queue) == ("shop.mail", {"to": "ada", "on": date(2026, 2, 3)}, "normal")
    assert shop.done == []


def test_a_recorded_message_knows_its_delivery(shop, box):
    ref = shop.mail.using(delay_s=60, priority=5, queue="low", headers={"user": "ada"}).enqueue("ada")
    message = box.only(shop.mail)
    assert (message.queue, message.delay_s, message.headers) == ("low", 60, {"user": "ada"})
    assert (message.message.priority, message.id) == (5, ref.id)


def test_arguments_of_every_kind_have_names(shop, box):
    shop.mail.enqueue("ada", date(2026, 1, 2), "x", "y")
    assert box.only(shop.mail).args == {"to": "ada", "on": date(2026, 1, 2), "more": ("x", "y")}


def test_messages_are_found_by_task_name_class_and_arguments(shop, box):
    shop.mail.enqueue("ada")
    shop.mail.enqueue("bob")
    shop.app.dispatch(CreateZip([1]))
    assert [one.args["to"] for one in box.of(shop.mail)] == ["ada", "bob"]
    assert len(box.of("shop.mail", to="bob")) == 1
    assert box.only(CreateZip).args == {"message": CreateZip([1])}
    assert box.of(shop.mail, to="eve") == []
    assert box.of(shop.mail, subject="x") == []


def test_only_says_what_there_is_when_there_is_not_one(shop, box):
    shop.mail.enqueue("ada")
    with pytest.raises(AssertionError) as refused:
        box.only(shop.mail, to="bob")
    assert str(refused.value) == (
        "0 messages of shop.mail(to='bob'), wanted 1; enqueued were:\n  shop.mail(to='ada') in normal"
    )


def test_assertions_about_what_was_enqueued(shop, box):
    with pytest.raises(AssertionError, match=r"no message of shop\.mail.*nothing was enqueued"):
        box.assert_enqueued(shop.mail)
    shop.mail.enqueue("ada")
    box.assert_enqueued(shop.mail, to="ada")
    box.assert_not_enqueued(shop.mail, to="bob")
    with pytest.raises(AssertionError, match=r"1 messages of shop\.mail\(to='ada'\), wanted none"):
        box.assert_not_enqueued(shop.mail, to="ada")


def test_a_message_stays_recorded_when_it_has_run(shop, box):
    shop.mail.enqueue("ada")
    box.run_all()
    assert len(box.of(shop.mail)) == 1
    assert box.waiting == []


# running


def test_run_all_runs_what_tasks_enqueue_as_well(shop, box):
    shop.order.enqueue("mug")
    assert box.run_all() == 2
    assert shop.done == [("order", "mug"), ("mail", "mug")]


def test_run_all_runs_queues_that_no_group_serves(shop, box):
    shop.app.installation.settings = shop.app.settings._replace(groups=())
    shop.mail.using(queue="bulk").enqueue("ada")
    assert box.run_all() == 1


def test_retries_do_not_wait(shop, box):
    shop.to_fail = 2
    shop.flaky.enqueue("no network")
    assert box.run_all() == 3
    assert shop.done == [("flaky", 3)]
    assert box.failed == []


def test_a_failure_for_good_is_raised_when_all_is_done(shop, box):
    shop.to_fail = 9
    shop.flaky.enqueue("no network")
    shop.mail.enqueue("ada")
    with pytest.raises(OSError, match="no network"):
        box.run_all()
    assert shop.done == [("mail", "ada")]


def test_failures_may_be_looked_at_instead(shop, box):
    shop.to_fail = 9
    ref = shop.flaky.enqueue("no network")
    assert box.run_all(raises=False) == 3
    (failed,) = box.failed
    assert (failed.message.id, failed.message.args, str(failed.error)) == (ref.id, {"why": "no network"}, "no network")
    assert ref.status == "failed"


def test_of_several_failures_the_first_is_raised_and_tells_of_the_others(shop, box):
    shop.to_fail = 9
    shop.flaky.enqueue("one")
    shop.flaky.enqueue("two")
    with pytest.raises(OSError, match="one") as raised:
        box.run_all()
    assert raised.value.__notes__ == ["more messages failed, 1 of them: see box.failed"]


def test_a_failure_is_raised_once(shop, box):
    shop.to_fail = 9
    shop.flaky.enqueue("one")
    with pytest.raises(OSError, match="one"):
        box.run_all()
    assert box.run_all() == 0


def test_run_one_makes_one_attempt(shop, box):
    shop.to_fail = 1
    shop.flaky.enqueue("no network")
    assert box.run_one().task == "shop.flaky"
    assert [one.task for one in box.waiting] == ["shop.flaky"]
    assert box.run_one() is None  # the retry waits for its time
    box.advance(70)
    assert box.run_one().message.attempt == 1
    assert shop.done == [("flaky", 2)]


def test_run_one_raises_what_ends_a_message_for_good(shop, box):
    def refuse() -> None:
        raise GiveUp("never")

    task = shop.app.task(name="shop.refuse")(refuse)
    task.enqueue()
    with pytest.raises(GiveUp, match="never"):
        box.run_one()


def test_a_message_that_cannot_be_run_is_a_failure(shop, box):
    with freeze_time("2026-01-01") as frozen:
        shop.mail.using(expires_s=10).enqueue("ada")
        frozen.tick(11)
        with pytest.raises(CronqError, match=r"shop\.mail: expired before it could be run"):
            box.run_all()


def test_what_enqueues_itself_for_ever_is_told(shop, box):
    def again() -> None:
        task.enqueue()

    task = shop.app.task(name="shop.again")(again)
    task.enqueue()
    with pytest.raises(AssertionError, match="7 attempts, and more is due"):
        box.run_all(most=7)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal: a shell that started the tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_passes_and_leaves_the_message_waiting(shop, box, interruptible):
    def interrupt() -> None:
        signal.raise_signal(signal.SIGINT)

    task = shop.app.task(name="shop.interrupt")(interrupt)
    task.enqueue()
    with pytest.raises(KeyboardInterrupt):
        box.run_all()
    assert len(box.waiting) == 1


def test_what_is_no_exception_is_a_failure_of_its_task(shop, box):
    def cancelled() -> None:
        raise asyncio.CancelledError

    shop.app.task(name="shop.cancelled")(cancelled).enqueue()
    box.run_all(raises=False)
    assert [type(one.error) for one in box.failed] == [asyncio.CancelledError]


def test_an_outbox_in_a_test_is_an_outbox(shop, box):
    with shop.app.outbox():
        shop.mail.enqueue("ada")
        assert box.messages == []
    assert len(box.messages) == 1


def test_arounds_and_hooks_run_in_a_box(shop, box):
    seen = []
    shop.app.before_enqueue(lambda headers: headers.setdefault("user", "ada"))

    @shop.app.around
    def watch(context):
        from contextlib import nullcontext

        seen.append(context.headers)
        return nullcontext()

    shop.mail.enqueue("ada")
    box.run_all()
    assert seen == [{"user": "ada"}]


# time


def test_a_delayed_message_becomes_due_as_the_box_s_clock_is_moved():
    shop = Shop(make_app(FakeClock()))
    with shop.app.testing() as box:
        shop.mail.using(delay_s=3600).enqueue("ada")
        assert box.run_all() == 0
        box.advance(3599)
        assert box.run_all() == 0
        box.advance(1)
        assert box.run_all() == 1


def test_a_delayed_message_becomes_due_as_freezegun_ticks(shop, box):
    with freeze_time("2026-03-29 00:30") as frozen:
        shop.mail.using(delay_s=3600).enqueue("ada")
        assert box.run_all() == 0
        frozen.tick(3600)
        assert box.run_all() == 1


def test_messages_keep_their_order_while_time_stands_still(shop, box):
    with freeze_time("2026-03-29 00:30"):
        for number in range(20):
            shop.mail.enqueue(str(number))
        box.run_all()
    assert shop.done == [("mail", str(number)) for number in range(20)]


def test_a_retry_that_was_asked_for_later_moves_the_clock(shop, box):
    seen = []

    def poll(context: Context) -> None:
        seen.append(shop.app.clock.now())
        if context.attempt == 1:
            raise RetryLater(3600)

    task = shop.app.task(name="shop.poll")(poll)
    with freeze_time("2026-03-29 00:30"):
        task.enqueue()
        box.run_all()
    assert seen[1] - seen[0] == 3600


def test_retries_without_end_are_told(shop, box):
    def never() -> None:
        raise OSError("down")

    shop.app.task(name="shop.never", retry=Retry(max_attempts=0, delay_s=1))(never).enqueue()
    with pytest.raises(AssertionError, match="50 attempts"):
        box.run_all(most=50)


# the app around it


def test_afterwards_the_app_is_as_before(shop):
    before = shop.app.settings, shop.app.clock, shop.app.transport
    with shop.app.testing():
        shop.mail.enqueue("ada")
    assert (shop.app.settings, shop.app.clock, shop.app.transport) == before
    assert shop.app.transport.counts() == []


def test_a_transport_that_was_never_opened_is_not_opened():
    app = App(settings("/nonexistent", transport="sqlite:///queue.db"))
    with app.testing():
        pass
    assert "transport" not in app.__dict__


def test_boxes_may_be_nested(shop):
    with shop.app.testing() as outer:
        shop.mail.enqueue("ada")
        with shop.app.testing() as inner:
            shop.mail.enqueue("bob")
        shop.mail.enqueue("eve")
    assert [one.args["to"] for one in outer.messages] == ["ada", "eve"]
    assert [one.args["to"] for one in inner.messages] == ["bob"]


def test_an_outbox_around_the_box_does_not_swallow_its_messages(shop):
    with shop.app.outbox() as outbox:
        with shop.app.testing() as box:
            shop.mail.enqueue("ada")
            assert len(box.messages) == 1
        assert outbox.messages == []
        shop.mail.enqueue("bob")
        assert len(outbox.messages) == 1


def test_a_failing_test_leaves_the_app_as_before(shop):
    before = shop.app.settings

    def a_test():
        with shop.app.testing():
            shop.mail.enqueue("ada")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        a_test()
    assert shop.app.settings == before
    assert "transport" not in shop.app.__dict__


def test_a_sync_app_runs_nothing_by_itself_in_a_box():
    shop = Shop(make_app(transport="sync://"))
    with shop.app.testing() as box:
        shop.mail.enqueue("ada")
        assert shop.done == []
        box.run_all()
    assert shop.done == [("mail", "ada")]


def test_nothing_is_written_to_disk(home):
    app = App(settings(home, transport="sqlite:///queue.db"))
    shop = Shop(app)

    def site(environ, start_response):
        shop.mail.enqueue("ada")
        start_response("200 OK", [("content-type", "text/html")])
        return [b"hello"]

    wrapped = CronqMiddleware(site, app)
    with app.testing() as box:
        body = wrapped({"REQUEST_METHOD": "GET"}, lambda status, headers: None)
        assert body == [b"hello"]  # nothing is to be done when it is closed
        assert len(box.waiting) == 1
        box.run_all()
    assert os.listdir(home) == []


def test_many_threads_may_enqueue_into_one_box(shop, box):
    threads = [threading.Thread(target=lambda: [shop.mail.enqueue("x") for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(box.messages) == 200
    assert box.run_all() == 200


def test_a_box_stops_listening(shop, box):
    before = list(events.listeners)
    shop.mail.enqueue("ada")
    box.run_all()
    assert events.listeners == before


def test_results_are_there_after_the_run(shop, box):
    task = shop.app.task(name="shop.add", result_ttl_s=60)(_add)
    ref = task.enqueue(2, 3)
    box.run_all()
    assert ref.result == 5


def _add(a: int, b: int) -> int:
    return a + b


def test_a_fake_clock_of_the_app_is_kept():
    shop = Shop(make_app(FakeClock()))
    with shop.app.testing():
        shop.mail.using(delay_s=5).enqueue("ada")
        (record,) = shop.app.transport.browse(State.DELAYED)
    assert record.message.available_at == 1_000_000_005


def test_an_isolated_task_runs_where_the_test_can_see_it(shop, box):
    shop.app.task(name="shop.alone", isolated=True)(lambda: shop.done.append(os.getpid())).enqueue()
    box.run_all()
    assert shop.done == [os.getpid()]


def test_reset_hooks_run_after_each_message(shop, box):
    resets = []
    shop.app.reset(lambda: resets.append(1))
    shop.mail.enqueue("ada")
    shop.mail.enqueue("bob")
    box.run_all()
    assert resets == [1, 1]


def test_a_batch_is_run_without_waiting_for_it_to_be_full(shop, box):
    def index(numbers: list[int]) -> None:
        shop.done.append(numbers)

    task = shop.app.batch(size=3, wait_s=60, name="shop.index")(index)
    for number in range(4):
        task.enqueue(number)
    task.using(delay_s=600).enqueue(5)
    assert (box.of(task)[0].args, box.of(task)[0].delay_s) == ({"numbers": 0}, 0.0)
    box.run_all()
    assert shop.done == [[0, 1, 2], [3]]


def test_the_exceptions_of_a_batch_are_raised_each_with_its_message(shop, box):
    def index(numbers: list[int]) -> None:
        raise PartlyFailed({0: GiveUp("zero"), 2: GiveUp("two")})

    shop.app.batch(size=3, name="shop.index")(index).enqueue_many([((number,), {}) for number in range(3)])
    box.run_all(raises=False)
    assert [(one.message.args["numbers"], str(one.error)) for one in box.failed] == [(0, "zero"), (2, "two")]

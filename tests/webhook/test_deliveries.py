"""Webhooks from the end of a message to what a real receiver gets."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from datetime import datetime
from typing import Any

import pytest

from cronq import Context, GiveUp, Retry, UsageError
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.lifetime import Leaving
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.rest import NoRest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.messages.message import State
from cronq.webhook.signature import verify
from cronq.webhook.signing_secret import secrets_of
from cronq.webhook.subscription import TASK, Webhook
from tests.clocks import FakeClock
from tests.consumer.crew import Post
from tests.making import app as make_app
from tests.presence import there

ONCE = Retry(max_attempts=1)


def run_all(app) -> None:
    """Run all that is due now."""
    tally = Tally()
    conditions = Conditions(Leaving(tally), tally, NoRest(), app.clock, BatchSize(), followed=app.enqueuer.announce)
    duty = Duty(["high", "normal", "low"], 300, stop_when_empty=True)
    Consumer(app.transport, Runner(app.runner_tasks(), app.clock), duty, Post(), conditions).run()


class Site:
    """An app in memory with webhooks to one receiver."""

    def __init__(self, receiver, home, **webhook) -> None:
        self.receiver = receiver
        self.clock = FakeClock(time.time())
        self.webhook = Webhook("ops", **{"url": receiver.url, "timeout_s": 300.0, **webhook})
        self.app = make_app(self.clock, home, webhooks=(self.webhook,))

    def task(self, function, **options):
        return self.app.task(name=f"shop.{function.__name__}", **options)(function)

    def run(self) -> None:
        run_all(self.app)

    def verified(self, request) -> bool:
        (secret,) = secrets_of(self.app.state, self.webhook)
        return verify(secret, request.headers, request.body, self.clock.now())

    def records(self, state):
        return self.app.transport.browse(state)


@pytest.fixture
def site(receiver, home):
    return Site(receiver, home)


def fail(card: str) -> None:
    raise LookupError("no such card")


def succeed(number: int) -> int:
    return number


def test_a_failure_is_posted_signed_and_without_its_arguments(site):
    ref = site.task(fail, retry=ONCE).enqueue("4111")
    site.run()
    (request,) = site.receiver.requests
    told = request.told
    assert (request.path, request.headers["Cronq-Event"]) == ("/hook?from=cronq", "failed")
    assert site.verified(request)
    enqueued_at, finished_at = (datetime.fromisoformat(told.pop(name)) for name in ("enqueued_at", "finished_at"))
    assert enqueued_at <= finished_at
    assert told == {
        "event": "failed",
        "message_id": ref.id,
        "task": "shop.fail",
        "queue": "normal",
        "attempt": 1,
        "error_class": "LookupError",
        "error": "no such card",
        "host": os.uname().nodename,
    }


def test_nothing_of_the_secret_the_url_or_the_arguments_is_in_the_queue(site):
    site.receiver.answers = [500]
    site.task(fail, retry=ONCE).enqueue("card of ada")
    site.run()
    (record,) = site.records(State.DELAYED)
    (secret,) = secrets_of(site.app.state, site.webhook)
    assert record.message.task == TASK
    for hidden in (secret, "127.0.0.1", "card of ada"):
        assert hidden not in str(record)


def test_arguments_are_posted_when_asked_for(receiver, home):
    site = Site(receiver, home, arguments=True, on=("failed", "finished"))
    site.task(fail, retry=ONCE).enqueue("4111")
    site.task(succeed).enqueue(7)
    site.run()
    assert [request.told["arguments"] for request in receiver.requests] == [{"card": "4111"}, {"number": 7}]


def test_a_message_that_finished_is_posted_when_asked_for(receiver, home):
    site = Site(receiver, home, on=("finished",))
    ref = site.task(succeed).enqueue(7)
    site.task(fail, retry=ONCE).enqueue("4111")
    site.run()
    (told,) = (request.told for request in receiver.requests)
    assert (told["event"], told["message_id"], told["error"], told["error_class"]) == ("finished", ref.id, None, None)


def test_an_attempt_that_is_retried_is_not_posted(site):
    def flaky(context: Context) -> None:
        if context.attempt == 1:
            raise OSError("down")

    site.task(flaky).enqueue()
    site.run()
    site.clock.advance(5)
    site.run()
    assert (site.receiver.requests, site.app.transport.counts()) == ([], [])


def test_only_the_tasks_and_queues_that_were_asked_for_are_posted(receiver, home):
    site = Site(receiver, home, tasks=("shop.fail",), queues=("high",))
    task = site.task(fail, retry=ONCE)
    ref = task.using(queue="high").enqueue("1")
    task.using(queue="low").enqueue("2")
    site.app.task(name="shop.other", queue="high", retry=ONCE)(fail).enqueue("3")
    site.run()
    assert [request.told["message_id"] for request in receiver.requests] == [ref.id]


@pytest.mark.parametrize("status", [500, 503, 404, 429, 301])
def test_another_answer_than_yes_is_tried_again_as_the_same_delivery(site, status):
    site.receiver.answers = [status, 200]
    site.task(fail, retry=ONCE).enqueue("1")
    site.run()
    (record,) = site.records(State.DELAYED)
    assert str(status) in record.error
    site.clock.advance(60)
    site.run()
    first, second = site.receiver.requests
    assert first.headers["Cronq-Id"] == second.headers["Cronq-Id"] == record.message.id
    assert first.body == second.body
    assert (site.verified(second), site.records(State.DELAYED)) == (True, [])


def test_redirects_are_not_followed(site):
    site.receiver.answers = [307, 200]
    site.task(fail, retry=ONCE).enqueue("1")
    site.run()
    assert len(site.receiver.requests) == 1
    assert "set url to where it leads" in site.records(State.DELAYED)[0].error


def test_a_receiver_that_is_gone_is_given_up(site):
    site.receiver.answers = [410]
    site.task(fail, retry=ONCE).enqueue("1")
    site.run()
    assert len(site.receiver.requests) == 1
    assert sorted(record.message.task for record in site.records(State.FAILED)) == [TASK, "shop.fail"]


def test_nobody_at_home_is_tried_again(receiver, home):
    with socket.socket() as nobody:  # has the port and does not listen
        nobody.bind(("127.0.0.1", 0))
        site = Site(receiver, home, url=f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        site.task(fail, retry=ONCE).enqueue("1")
        site.run()
    (record,) = site.records(State.DELAYED)
    assert record.error_class == "ConnectionRefusedError"


def test_a_long_answer_is_not_read_to_its_end(site):
    site.receiver.answers, site.receiver.says = [500], b"no " * 100_000
    site.task(fail, retry=ONCE).enqueue("1")
    site.run()
    assert len(site.records(State.DELAYED)[0].attempts[-1].error) < 300


def test_a_delivery_that_fails_for_good_is_not_posted_and_calls_nobody(site):
    ran = []

    def tell(failure: dict[str, Any]) -> None:
        ran.append(failure["task"])

    site.app.on_failure(site.task(tell))
    site.receiver.answers = [410]
    site.task(fail, retry=ONCE).enqueue("1")
    site.run()
    assert (ran, len(site.receiver.requests)) == (["shop.fail"], 1)


def test_a_webhook_that_was_removed_meanwhile_is_given_up(site):
    site.task(fail, retry=ONCE).enqueue("1")
    site.app.installation.settings = site.app.settings._replace(webhooks=())
    site.run()
    (error,) = (record.error for record in site.records(State.FAILED) if record.message.task == TASK)
    assert "there is no [webhooks.ops] any more" in error


def test_messages_are_as_small_as_ever_without_webhooks():
    app = make_app()
    ref = app.task(name="shop.succeed")(succeed).enqueue(1)
    assert there(app.transport.find(ref.id)).message.follow == b""
    assert TASK not in {task.name for task in app.registry}


def test_a_task_that_nobody_asked_about_has_nothing_stored(receiver, home):
    site = Site(receiver, home, tasks=("shop.fail",))
    ref = site.task(succeed).enqueue(1)
    assert there(site.app.transport.find(ref.id)).message.follow == b""


def test_deliveries_wait_where_the_webhook_says(receiver, home):
    site = Site(receiver, home, queue="low")
    ref = site.task(fail, retry=ONCE).enqueue("1")
    (step,) = json.loads(there(site.app.transport.find(ref.id)).message.follow)["failed"]
    assert step["message"]["queue"] == "low"


def test_boxes_for_tests_post_nothing(site):
    task = site.task(fail, retry=ONCE)
    task.enqueue("before")
    with site.app.testing() as box:
        task.enqueue("1")
        box.run_all(raises=False)
    assert site.receiver.requests == []
    task.enqueue("after")
    site.run()
    assert len(site.receiver.requests) == 2


def test_the_secret_is_made_once_and_is_for_nobody_else(site):
    (secret,) = secrets_of(site.app.state, site.webhook)
    path = site.app.state.secret("ops")
    assert (len(secret), stat.S_IMODE(os.stat(path).st_mode)) == (64, 0o600)
    assert secrets_of(site.app.state, site.webhook) == (secret,)
    assert [name for name in os.listdir(site.app.state.path) if "secret" in name] == ["webhook.ops.secret"]


def test_a_secret_that_is_replaced_signs_beside_the_new_one(receiver, home):
    path = home / "secret"
    path.write_text("the new secret of today\n\nthe old secret of before\n")
    path.chmod(0o600)
    site = Site(receiver, home, secret_file=str(path))
    site.task(fail, retry=ONCE).enqueue("1")
    site.run()
    (request,) = receiver.requests
    for secret in ("the new secret of today", "the old secret of before"):
        assert verify(secret, request.headers, request.body, site.clock.now())


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        (None, 0, "is not there"),
        ("0123456789abcdef", 0o644, "chmod 600"),
        ("short", 0o600, "16 characters or more"),
        ("\n", 0o600, "16 characters or more"),
    ],
)
def test_a_secret_that_is_none_is_refused(receiver, home, text, mode, reason):
    path = home / "secret"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    site = Site(receiver, home, secret_file=str(path))
    with pytest.raises(UsageError, match=reason):
        secrets_of(site.app.state, site.webhook)


def test_two_callbacks_for_all_failures_do_not_call_one_another_for_ever():
    app = make_app()
    told = []

    def one(failure: dict[str, Any]) -> None:
        told.append("one")
        raise GiveUp("no")

    def two(failure: dict[str, Any]) -> None:
        told.append("two")

    for callback in (one, two):
        app.on_failure(app.task(name=f"shop.{callback.__name__}")(callback))
    task = app.task(name="shop.fail", retry=ONCE)(fail)
    with app.testing() as box:
        task.enqueue("1")
        box.run_all(raises=False)
    assert told == ["one", "two"]


def test_a_callback_carries_no_headers_of_whoever_enqueued_the_first_message():
    app = make_app()
    user = ["ada"]
    app.before_enqueue(lambda headers: headers.update(user=user[0]))
    seen = []

    def tell(failure: dict[str, Any], context: Context) -> None:
        seen.append(dict(context.headers))

    task = app.task(name="shop.fail", retry=ONCE, on_failure=app.task(name="shop.tell")(tell))(fail)
    with app.testing() as box:
        task.enqueue("1")
        user[0] = "bob"
        task.enqueue("2")
        box.run_all(raises=False)
    assert seen == [{}, {}]

from __future__ import annotations

from cronq import GiveUp, Retry, RetryLater
from cronq.config.settings import Queue
from cronq.consumer.runnable import Runnable
from cronq.consumer.runner import Runner
from cronq.messages.attempts import Cause
from cronq.messages.message import Ack, Fail, Release
from tests.consumer.bench import Bench, raising, runnable
from tests.making import message
from tests.presence import there


def test_a_task_that_returns_is_acked(bench):
    assert isinstance(bench.run(lambda: None), Ack)


def test_an_unknown_task_is_parked_with_the_nearest_name(bench):
    bench.app.task(name="shop.send_mail")(lambda: None)
    parked = bench.runner.prepare(message(task="shop.send_mails"))
    assert parked.error == "no task is named shop.send_mails; did you mean shop.send_mail?"


def test_a_body_that_does_not_decode_is_parked_with_what_is_wrong(bench):
    parked = bench.run(lambda: None, body=b"\xff")
    assert isinstance(parked, Fail)
    assert parked.message.body == b"\xff"
    assert parked.error.startswith("task shop.task: the stored arguments do not fit it")


def test_a_task_whose_hints_broke_in_a_deploy_is_parked(bench):
    def task(at: Missing): ...  # type: ignore[name-defined]  # noqa: F821 - that is the point

    assert "type hints cannot be resolved" in bench.run(task, body=b'{"at":1}').error


def test_an_expired_message_is_not_run(bench):
    expired = message(expires_at=bench.clock.now())
    text = "expired before it could be run"
    assert bench.runner.prepare(expired) == Fail(expired, text, Cause("Expired", text))


def test_a_message_is_run_until_the_moment_it_expires(bench):
    bench.app.task(name="shop.send")(lambda to: None)
    assert isinstance(bench.runner.prepare(message(expires_at=bench.clock.now() + 0.001)), Runnable)


def test_a_failed_attempt_is_released_with_its_traceback(bench):
    outcome = bench.run(raising(ValueError("boom")), retry=Retry(3, delay_s=10, jitter=0))
    assert isinstance(outcome, Release)
    assert outcome.delay_s == 10
    error = there(outcome.error)
    assert error.startswith("Traceback")
    assert error.endswith("ValueError: boom\n")


def test_the_last_failed_attempt_goes_to_the_failure_queue(bench):
    assert isinstance(bench.run(raising(ValueError("boom")), attempt=3), Fail)


def test_retry_later_is_released_for_as_long_as_it_asks(bench):
    assert bench.run(raising(RetryLater(77, "busy"))).delay_s == 77


def test_give_up_fails_at_once(bench):
    assert isinstance(bench.run(raising(GiveUp("no such address"))), Fail)


def test_the_queue_s_settings_override_the_task_s_own():
    queue = Queue("high", max_attempts=1, timeout_s=7, result_ttl_s=60, retry={"delay_s": 5.0, "jitter": 0.0})
    bench = Bench(queues={"high": queue})
    assert bench.run(lambda: 1, timeout_s=99).keep_s == 60
    assert runnable(bench.runner, message(task="shop.task", body=b"{}")).timeout_s == 7
    assert isinstance(Bench(queues={"high": queue}).run(raising(ValueError())), Fail)


def test_the_retry_of_a_queue_changes_only_what_it_names():
    queue = Queue("high", retry={"delay_s": 5.0})
    outcome = Bench(queues={"high": queue}).run(raising(ValueError()), retry=Retry(9, multiplier=1, jitter=0))
    assert outcome.delay_s == 5


def test_a_queue_s_settings_say_what_is_not_retried():
    queue = Queue("high", retry={"give_up_on": ("shop.errors.NoSuchUser", "LookupError")})
    assert isinstance(Bench(queues={"high": queue}).run(raising(KeyError("ada")), retry=Retry(9)), Fail)
    assert isinstance(Bench(queues={"high": queue}).run(raising(ValueError("ada")), retry=Retry(9)), Release)


def test_a_task_that_runs_at_most_once_is_not_retried_when_it_fails(bench):
    def fail() -> None:
        raise RuntimeError("boom")

    bench.app.task(name="once", ack_first=True)(fail)
    sent = message(task="once", body=b"{}", attempt=1)
    runner = Runner(bench.app.runner_tasks(), bench.clock)
    assert type(runner.run(sent, runnable(runner, sent))) is Fail


def test_a_body_that_does_not_decode_has_an_error_class(bench):
    assert bench.run(lambda: None, body=b"\xff").cause.error_class == "BodyError"

from __future__ import annotations

import sys
from contextlib import contextmanager

import pytest

from cronq import Context, GiveUp, Retry, RetryLater, TaskTimeout
from cronq.config.settings import Queue
from cronq.consumer.runnable import Runnable
from cronq.consumer.runner import Runner
from cronq.messages.attempts import Cause
from cronq.messages.message import Ack, Fail, Release
from tests.clocks import FakeClock
from tests.making import app, message


class Bench:
    """An app, a runner, and one message run by it."""

    def __init__(self, **settings: object) -> None:
        self.clock = FakeClock()
        self.app = app(self.clock, **settings)
        self.runner = Runner(self.app.runner_tasks(), self.clock)

    def run(self, function, *, attempt=1, queue="high", headers=b"", body=b"{}", **options):
        self.app.task(name="shop.task", **options)(function)
        sent = message(queue, task="shop.task", body=body, attempt=attempt, headers=headers)
        call = self.runner.prepare(sent)
        return self.runner.run(sent, call) if isinstance(call, Runnable) else call


@pytest.fixture
def bench() -> Bench:
    return Bench()


def raising(error: BaseException):
    def task():
        raise error

    return task


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
    def task(at: Missing): ...  # noqa: F821

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
    assert outcome.error.startswith("Traceback")
    assert outcome.error.endswith("ValueError: boom\n")


def test_the_last_failed_attempt_goes_to_the_failure_queue(bench):
    assert isinstance(bench.run(raising(ValueError("boom")), attempt=3), Fail)


def test_a_very_long_traceback_keeps_its_end(bench):
    outcome = bench.run(raising(ValueError("x" * 50_000 + "the end")))
    assert len(outcome.error) == 8000
    assert outcome.error.endswith("the end\n")


def test_retry_later_is_released_for_as_long_as_it_asks(bench):
    assert bench.run(raising(RetryLater(77, "busy"))).delay_s == 77


def test_give_up_fails_at_once(bench):
    assert isinstance(bench.run(raising(GiveUp("no such address"))), Fail)


def test_sys_exit_in_a_task_is_its_failure(bench):
    assert isinstance(bench.run(lambda: sys.exit(3)), Release)


def test_a_timeout_is_a_failed_attempt(bench):
    outcome = bench.run(raising(TaskTimeout("took longer")))
    assert isinstance(outcome, Release)
    assert "TaskTimeout: took longer" in outcome.error


def test_a_keyboard_interrupt_is_not_the_task_s(bench):
    with pytest.raises(KeyboardInterrupt):
        bench.run(raising(KeyboardInterrupt()))


def test_inside_a_web_server_sys_exit_passes():
    bench = Bench()
    bench.runner = Runner(bench.app.runner_tasks(), bench.clock, survives=(Exception, TaskTimeout))
    with pytest.raises(SystemExit):
        bench.run(lambda: sys.exit(3))


def test_a_result_is_kept_as_json_for_as_long_as_asked(bench):
    outcome = bench.run(lambda: {"pages": [1, 2]}, result_ttl_s=60)
    assert (outcome.result, outcome.keep_s) == (b'{"pages":[1,2]}', 60)


@pytest.mark.parametrize("value", [object(), "\ud800", {1, object()}, {(1, 2): 3}])
def test_a_result_that_is_no_json_is_not_kept_but_the_message_is_done(bench, value):
    outcome = bench.run(lambda: value, result_ttl_s=60)
    assert isinstance(outcome, Ack)
    assert (outcome.result, outcome.keep_s) == (None, 60)


def test_a_result_nested_too_deeply_is_not_kept_but_the_message_is_done(bench):
    def deep():
        value = []
        for _ in range(100_000):
            value = [value]
        return value

    assert bench.run(deep, result_ttl_s=60).result is None


def test_without_a_retention_no_result_is_kept(bench):
    assert bench.run(lambda: 42).result is None


def test_the_queue_s_settings_override_the_task_s_own():
    queue = Queue("high", max_attempts=1, timeout_s=7, result_ttl_s=60, retry={"delay_s": 5.0, "jitter": 0.0})
    bench = Bench(queues={"high": queue})
    assert bench.run(lambda: 1, timeout_s=99).keep_s == 60
    assert bench.runner.prepare(message(task="shop.task", body=b"{}")).timeout_s == 7
    assert isinstance(Bench(queues={"high": queue}).run(raising(ValueError())), Fail)


def test_the_retry_of_a_queue_changes_only_what_it_names():
    queue = Queue("high", retry={"delay_s": 5.0})
    outcome = Bench(queues={"high": queue}).run(raising(ValueError()), retry=Retry(9, multiplier=1, jitter=0))
    assert outcome.delay_s == 5


def test_a_queue_s_settings_say_what_is_not_retried():
    queue = Queue("high", retry={"give_up_on": ("shop.errors.NoSuchUser", "LookupError")})
    assert isinstance(Bench(queues={"high": queue}).run(raising(KeyError("ada")), retry=Retry(9)), Fail)
    assert isinstance(Bench(queues={"high": queue}).run(raising(ValueError("ada")), retry=Retry(9)), Release)


def test_the_context_tells_of_the_attempt(bench):
    seen = []

    def task(context: Context):
        seen.append((context.attempt, context.queue, context.headers, context.deadline, context.should_stop))

    bench.run(task, attempt=2, headers=b'{"user":"ada"}', timeout_s=30)
    assert seen == [(2, "high", {"user": "ada"}, bench.clock.monotonic() + 30, False)]


def around(name: str, happened: list[str]):
    @contextmanager
    def manager(context: Context):
        happened.append(f"{name} in")
        try:
            yield
        except ValueError:
            happened.append(f"{name} saw it")
            raise
        finally:
            happened.append(f"{name} out")

    return manager


def test_arounds_enclose_the_task_in_the_order_they_were_added(bench):
    happened: list[str] = []
    bench.app.around(around("a", happened))
    bench.app.around(around("b", happened))
    bench.run(lambda: happened.append("task"))
    assert happened == ["a in", "b in", "task", "b out", "a out"]


def test_arounds_see_what_the_task_raises(bench):
    happened: list[str] = []
    bench.app.around(around("a", happened))
    assert isinstance(bench.run(raising(ValueError())), Release)
    assert happened == ["a in", "a saw it", "a out"]


def test_an_around_that_fails_fails_the_attempt(bench):
    @contextmanager
    def broken(context):
        raise LookupError("no connection")
        yield

    bench.app.around(broken)
    ran = []
    outcome = bench.run(lambda: ran.append(1))
    assert "LookupError: no connection" in outcome.error
    assert ran == []


def test_the_timer_runs_for_the_attempt_and_is_stopped_however_it_ends(bench):
    happened: list[object] = []

    class Timer:
        def start(self, timeout_s):
            happened.append(timeout_s)

        def stop(self):
            happened.append("stop")

    bench.runner._local.timer = Timer()
    bench.run(raising(ValueError()), timeout_s=5)
    assert happened == [5, "stop"]


def test_the_context_s_deadline_is_the_sooner_of_the_timeout_and_the_consumer_s_end(bench):
    seen = []

    def look(context: Context) -> None:
        seen.append(context.deadline)

    now = bench.clock.monotonic()
    for name, timeout_s in (("soon", 5), ("late", 500)):
        bench.app.task(name=name, timeout_s=timeout_s)(look)
        runner = Runner(bench.app.runner_tasks(), bench.clock, ends_at=now + 60)
        sent = message(task=name, body=b"{}")
        runner.run(sent, runner.prepare(sent))
    assert seen == [now + 5, now + 60]


def test_a_task_that_runs_at_most_once_is_not_retried_when_it_fails(bench):
    def fail() -> None:
        raise RuntimeError("boom")

    bench.app.task(name="once", ack_first=True)(fail)
    sent = message(task="once", body=b"{}", attempt=1)
    runner = Runner(bench.app.runner_tasks(), bench.clock)
    assert type(runner.run(sent, runner.prepare(sent))) is Fail


def test_a_failed_attempt_tells_its_cause_in_parts(bench):
    def task():
        bench.clock.advance(2.5)
        raise KeyError("ada")

    cause = bench.run(task).cause
    assert cause == Cause("KeyError", "'ada'", 2.5, cause.peak_mb)
    assert 5 < cause.peak_mb < 20_000


def test_a_body_that_does_not_decode_has_an_error_class(bench):
    assert bench.run(lambda: None, body=b"\xff").cause.error_class == "BodyError"


def test_an_error_whose_text_fails_is_a_failed_attempt_like_others(bench):
    class Odd(Exception):
        def __str__(self):
            raise ValueError

    cause = bench.run(raising(Odd())).cause
    assert (cause.error_class, cause.text) == ("Odd", "its text cannot be had: ValueError")


def test_half_characters_in_an_error_are_escaped_so_that_it_can_be_stored(bench):
    outcome = bench.run(raising(OSError("no file caf\udce9")))
    assert outcome.cause.text == "no file caf\\udce9"
    outcome.error.encode()

"""What one call says of its own running: retries, timeout, result."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cronq import App, Context, Retry, UsageError
from cronq.config.settings import Queue
from cronq.errors import BodyError, OptionError
from cronq.messages.message import Fail, Release
from cronq.tasks.own_options import NONE_OWN, own_options
from tests import making
from tests.consumer.bench import Bench, runnable
from tests.consumer.crew import Crew
from tests.presence import there

if TYPE_CHECKING:
    from cronq.messages.message import Message


class NoSuchUser(Exception):
    pass


def fail() -> int:
    raise NoSuchUser("ada")


@pytest.fixture
def app() -> App:
    return making.app()


def index_all(items: list[int]) -> None: ...


def seven() -> int:
    return 7


def sent(app: App, **said: Any) -> Message:
    return there(app.transport.find(app.task(name="shop.task")(fail).using(**said).enqueue().id)).message


def test_a_call_says_its_own_retries(app):
    retry = Retry(7, delay_s=5, multiplier=1, jitter=0, retry_on=(NoSuchUser, "KeyError"), give_up_on=[ValueError])
    message = sent(app, retry=retry)
    assert message.max_attempts == 7
    kept = there(own_options(message.headers).retry)
    assert (kept.max_attempts, kept.delay_s, kept.jitter) == (7, 5, 0)
    assert (kept.retry_on, kept.give_up_on) == ((f"{__name__}.NoSuchUser", "KeyError"), ("builtins.ValueError",))
    outcome = Bench().run(fail, queue="normal", headers=message.headers)
    assert isinstance(outcome, Release)
    assert outcome.delay_s == 5


def test_a_class_that_a_function_has_made_is_known_again(app):
    class Busy(Exception):
        pass

    def meet() -> None:
        raise Busy

    message = sent(app, retry=Retry(5, retry_on=(Busy,)))
    assert isinstance(Bench().run(meet, queue="normal", headers=message.headers), Release)


def test_a_class_that_is_called_like_a_builtin_one_is_another(app):
    namesake = type("ConnectionError", (Exception,), {})

    def meet() -> None:
        raise namesake

    message = sent(app, retry=Retry(5, retry_on=(ConnectionError,)))
    assert isinstance(Bench().run(meet, queue="normal", headers=message.headers), Fail)


def test_an_exception_that_a_call_gives_up_on_ends_it(app):
    message = sent(app, retry=Retry(7, give_up_on=(NoSuchUser,)))
    assert isinstance(Bench().run(fail, headers=message.headers), Fail)


def test_a_call_says_its_own_timeout_and_how_long_its_result_is_kept(app):
    message = sent(app, timeout_s=timedelta(minutes=1), result_ttl_s=3600)
    bench = Bench()
    task = bench.app.task(name="shop.task", timeout_s=5)(fail)
    call = runnable(bench.runner, message)
    assert call.timeout_s == 60
    assert bench.app.definitions.result_ttl_of(task, message) == 3600


def test_what_a_call_does_not_say_is_as_its_task_says(app):
    message = sent(app, result_ttl_s=3600)
    bench = Bench()
    task = bench.app.task(name="shop.task", timeout_s=5, retry=Retry(4))(fail)
    assert bench.app.definitions.timeout_of(task, message) == 5
    assert bench.app.definitions.policy_of(task, message) == Retry(4)


def test_a_result_is_kept_for_a_call_that_wants_it():
    crew = Crew()
    task = crew.task(seven)
    ref, other = task.using(result_ttl_s=60).enqueue(), task.enqueue()
    for _ in range(3):
        crew.step()
    assert (ref.result, other.status) == (7, "gone")


def test_the_configuration_of_a_queue_has_the_last_word():
    queue = Queue("normal", max_attempts=2, timeout_s=9, result_ttl_s=1)
    app = making.app(queues={"normal": queue})
    message = sent(app, retry=Retry(7), timeout_s=60, result_ttl_s=3600)
    task = app.registry.get("shop.task")
    assert message.max_attempts == 2
    assert app.definitions.policy_of(task, message).max_attempts == 2
    assert (app.definitions.timeout_of(task, message), app.definitions.result_ttl_of(task, message)) == (9, 1)


def test_it_goes_with_steps_and_with_slices():
    crew = Crew()

    def count(context: Context) -> object:
        return context.continue_later(1) if context.cursor is None else "done"

    task = crew.task(count)
    ref = crew.app.chain(task.using(result_ttl_s=60).call(), task.using(result_ttl_s=60).call()).enqueue()
    for _ in range(8):
        crew.step()
    assert ref.result == "done"


def test_a_task_does_not_see_it_among_its_headers(app):
    message = sent(app, timeout_s=5, headers={"user": "ada"})
    assert Context.for_test(headers=json.loads(message.headers)).headers == {"user": "ada"}


@pytest.mark.parametrize("said", [{"retry": 3}, {"timeout_s": 0}, {"timeout_s": "30s"}, {"result_ttl_s": -1}])
def test_what_makes_no_sense_is_refused_where_it_stands(app, said):
    with pytest.raises(OptionError, match=next(iter(said))):
        app.task(name="shop.task")(fail).using(**said)


def test_a_batch_task_has_one_timeout_for_all_its_calls(app):
    index = app.batch(size=3)(index_all)
    with pytest.raises(UsageError, match="timeout_s belongs to the task"):
        index.using(timeout_s=5).enqueue(7)


def test_names_of_headers_that_are_cronqs_own_are_refused(app):
    with pytest.raises(OptionError, match="cronq-timeout-s"):
        app.task(name="shop.task")(fail).using(headers={"cronq-timeout-s": "5"})


@pytest.mark.parametrize(
    "headers", [b'{"cronq-timeout-s": "x"}', b'{"cronq-retry": "{}"}', b'{"cronq-retry": "[]"}', b'{"cronq-', b"[{}]"]
)
def test_what_somebody_else_has_written_is_refused_before_anything_runs(headers):
    if headers == b"[{}]":
        assert own_options(headers) == NONE_OWN
        return
    with pytest.raises(BodyError):
        own_options(headers)
    for queues in ({}, {"normal": Queue("normal", timeout_s=9)}):  # which need not ask the message
        bench = Bench(queues=queues)
        bench.app.task(name="shop.task")(fail)
        sent = making.message("normal", task="shop.task", body=b"{}", headers=headers)
        assert isinstance(bench.runner.prepare(sent), Fail)

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import pytest

from cronq import Context, TaskTimeout
from cronq.consumer.runner import Runner
from cronq.messages.message import Ack, Fail, Release
from cronq.tasks.context import Workplace
from tests.consumer.bench import Bench, raising, runnable
from tests.making import message
from tests.presence import there


def test_sys_exit_in_a_task_is_its_failure(bench):
    assert isinstance(bench.run(lambda: sys.exit(3)), Release)


def test_a_timeout_is_a_failed_attempt(bench):
    outcome = bench.run(raising(TaskTimeout("took longer")))
    assert isinstance(outcome, Release)
    assert "TaskTimeout: took longer" in there(outcome.error)


class Panic(BaseException):
    """What PyO3 makes of a panic in Rust, and gevent of a timeout."""


NO_EXCEPTIONS = [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit, SystemExit, Panic]


@pytest.mark.parametrize("kind", NO_EXCEPTIONS)
def test_what_is_no_exception_ends_the_attempt_like_any_other_error(bench, kind):
    task = raising(kind("boom"))
    outcome = bench.run(task)
    assert (type(outcome), outcome.cause.error_class) == (Release, kind.__name__)
    assert isinstance(bench.run(task, attempt=3), Fail)


@pytest.mark.parametrize("kind", NO_EXCEPTIONS)
def test_what_is_no_exception_is_a_failure_too_when_an_around_raises_it(bench, kind):
    @bench.app.around
    @contextmanager
    def broken(context):
        yield
        raise kind

    assert isinstance(bench.run(lambda: None), Release)


def test_a_panic_in_a_reset_is_reported_and_changes_nothing(bench):
    bench.app.reset(raising(Panic("boom")))
    assert isinstance(bench.run(lambda: None), Ack)


def test_a_panic_of_a_listener_changes_nothing(bench, monkeypatch):
    monkeypatch.setattr("cronq.events.listeners", [lambda name, facts: raising(Panic("boom"))()])
    assert isinstance(bench.run(lambda: None), Ack)


def test_a_panic_while_arguments_are_made_fails_the_message(bench):
    outcome = bench.run(takes_panicking, body=b'{"one": {"value": 1}}')
    assert (type(outcome), outcome.error) == (Fail, "Panic: boom")


def test_a_panic_while_a_result_is_written_leaves_the_message_done(bench):
    task = bench.app.task(name="shop.task", result_ttl_s=60)(lambda: 42)
    task.codec.encode_result = lambda value: raising(Panic("boom"))()
    sent = message("high", task="shop.task", body=b"{}")
    assert isinstance(bench.runner.run(sent, bench.runner.prepare(sent)), Ack)


def test_an_error_whose_text_panics_is_stored_without_it(bench):
    class Mute(Exception):
        def __str__(self):
            raise Panic

    assert "cannot be had: Panic" in bench.run(raising(Mute())).cause.text


def test_what_a_signal_handler_raises_passes_and_so_ends_a_web_server_s_worker(bench, monkeypatch):
    def quit_worker(number, frame):
        sys.exit(0)

    with handling(signal.SIGTERM, quit_worker), pytest.raises(SystemExit):
        bench.run(lambda: signal.raise_signal(signal.SIGTERM))


def test_so_does_what_the_method_of_a_worker_raises_further_down(bench):
    class Worker:
        def abort(self, number, frame):
            self.leave()

        def leave(self):
            raise SystemExit(1)

    with handling(signal.SIGABRT, partial(Worker().abort)), pytest.raises(SystemExit):
        bench.run(lambda: signal.raise_signal(signal.SIGABRT))


def test_ctrl_c_passes(bench):
    with handling(signal.SIGINT, signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        bench.run(lambda: signal.raise_signal(signal.SIGINT))


def test_ctrl_c_passes_through_asyncio(bench):
    async def main():
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)

    with handling(signal.SIGINT, signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        bench.run(lambda: asyncio.run(main()))


def test_a_greenlet_that_is_killed_ends(bench, monkeypatch):
    greenlet = SimpleNamespace(GreenletExit=type("GreenletExit", (BaseException,), {}))
    monkeypatch.setitem(sys.modules, "greenlet", greenlet)
    with pytest.raises(greenlet.GreenletExit):
        bench.run(raising(greenlet.GreenletExit()))


def test_nothing_passes_where_signals_are_only_noted():
    bench = Bench()
    bench.runner = Runner(bench.app.runner_tasks(), bench.clock, passes=lambda error: False)

    def alarmed(number, frame):
        raise Panic("the alarm of the task's own")

    with handling(signal.SIGUSR1, alarmed):
        assert isinstance(bench.run(lambda: signal.raise_signal(signal.SIGUSR1)), Release)


@contextmanager
def handling(number, handler):
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@dataclass
class Panicking:
    value: int

    def __post_init__(self):
        raise Panic("boom")


def takes_panicking(one: Panicking) -> None:
    """Never run."""


def test_the_context_tells_of_the_attempt(bench):
    seen = []

    def task(context: Context):
        seen.append((context.attempt, context.queue, context.headers, context.deadline, context.should_stop))

    bench.run(task, attempt=2, headers=b'{"user":"ada"}', timeout_s=30)
    assert seen == [(2, "high", {"user": "ada"}, bench.clock.monotonic() + 30, False)]


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
        runner = Runner(bench.app.runner_tasks(), bench.clock, workplace=Workplace(ends_at=now + 60))
        sent = message(task=name, body=b"{}")
        runner.run(sent, runnable(runner, sent))
    assert seen == [now + 5, now + 60]


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


def test_a_task_is_told_which_consumer_runs_it_and_whether_that_is_a_web_process(bench):
    seen = []

    def task(context: Context) -> None:
        seen.append((context.consumer, context.in_web_process))

    bench.run(task)
    bench.runner = Runner(bench.app.runner_tasks(), bench.clock, workplace=Workplace("inline.0", in_web_process=True))
    bench.run(task)
    assert seen == [("", False), ("inline.0", True)]

from __future__ import annotations

import sys
from contextlib import contextmanager

import pytest

from cronq import Context, TaskTimeout
from cronq.consumer.runner import Runner
from cronq.messages.message import Release
from tests.consumer.bench import Bench, raising, runnable
from tests.making import message
from tests.presence import there


def test_sys_exit_in_a_task_is_its_failure(bench):
    assert isinstance(bench.run(lambda: sys.exit(3)), Release)


def test_a_timeout_is_a_failed_attempt(bench):
    outcome = bench.run(raising(TaskTimeout("took longer")))
    assert isinstance(outcome, Release)
    assert "TaskTimeout: took longer" in there(outcome.error)


def test_a_keyboard_interrupt_is_not_the_task_s(bench):
    with pytest.raises(KeyboardInterrupt):
        bench.run(raising(KeyboardInterrupt()))


def test_inside_a_web_server_sys_exit_passes():
    bench = Bench()
    bench.runner = Runner(bench.app.runner_tasks(), bench.clock, survives=(Exception, TaskTimeout))
    with pytest.raises(SystemExit):
        bench.run(lambda: sys.exit(3))


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
        runner = Runner(bench.app.runner_tasks(), bench.clock, ends_at=now + 60)
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

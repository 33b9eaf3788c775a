"""Tasks that are coroutines: run to their end by one loop, within their time, with what surrounds them."""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import time
from contextlib import contextmanager

import pytest

from cronq import Context, Retry, TaskStopped, TaskTimeout, UsageError
from cronq.clock import SystemClock
from cronq.consumer.alarm import Alarm
from cronq.consumer.event_loop import EventLoop
from cronq.consumer.runner import Runner
from cronq.messages.message import Ack, Fail, Release
from tests import making
from tests.consumer.bench import runnable
from tests.presence import there

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


def in_child(works) -> bool:
    """Fork, and tell whether it is so in the child as well."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if works() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def app():
    return making.app()


@pytest.fixture
def alarm():
    before = signal.getsignal(signal.SIGALRM)
    yield Alarm(SystemClock())
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def run(app, alarm):
    """Make one attempt at the message of a call, as a consumer does."""
    runner = Runner(app.runner_tasks(), SystemClock(), alarm)

    def attempt(task, *args):
        (message,) = app.writer.messages(task, [(args, {})], task.call(*args).delivery)
        taken = message.reserved(1)
        return runner.run(taken, runnable(runner, taken))

    yield attempt
    runner.close()


def test_a_coroutine_is_run_to_its_end_and_its_result_is_kept(app, run):
    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    outcome = run(app.task(name="shop.add", result_ttl_s=60)(add), 1, 2)
    assert isinstance(outcome, Ack)
    assert outcome.result == b"3"


def test_all_coroutines_of_a_consumer_share_one_loop_so_that_pools_survive(app, run):
    loops = []

    async def note() -> None:
        loops.append(asyncio.get_running_loop())

    task = app.task(name="shop.note")(note)
    run(task)
    run(task)
    assert loops[0] is loops[1]


def test_what_surrounds_a_message_is_there_inside_a_coroutine(app, run):
    seen = []

    @app.around
    @contextmanager
    def ada(context: Context):
        token = who.set("ada")
        yield
        who.reset(token)

    async def look(context: Context, number: int) -> None:
        await asyncio.sleep(0)
        seen.append((who.get(), number, context.attempt))

    run(app.task(name="shop.look")(look), 7)
    assert seen == [("ada", 7, 1)]
    assert who.get() == "nobody"


def test_what_a_coroutine_enqueues_goes_with_its_ack(app, run):
    other = app.task(name="shop.other")(lambda_free)

    async def chain() -> None:
        other.enqueue()
        await other.aenqueue()

    outcome = run(app.task(name="shop.chain")(chain))
    assert [message.task for message in outcome.then] == ["shop.other", "shop.other"]


def lambda_free() -> None: ...


def test_an_exception_of_a_coroutine_is_that_of_the_attempt(app, run):
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("no")

    outcome = run(app.task(name="shop.fail")(fail))
    assert isinstance(outcome, Release)
    assert there(outcome.cause).error_class == "ZeroDivisionError"


def test_a_coroutine_that_takes_too_long_ends_at_its_next_await_and_may_clean_up(app, run):
    cleaned = []

    async def sleep() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            cleaned.append("up")

    began = time.monotonic()
    outcome = run(app.task(name="shop.sleep", timeout_s=0.05, retry=Retry(max_attempts=1))(sleep))
    assert isinstance(outcome, Fail)
    assert (there(outcome.cause).error_class, cleaned) == ("TaskTimeout", ["up"])
    assert time.monotonic() - began < 20


def test_a_coroutine_that_never_awaits_is_ended_by_force(app, run, monkeypatch):
    monkeypatch.setattr("cronq.consumer.alarm.INSIST_AFTER_S", 0.05)

    async def spin() -> None:
        while True:
            time.monotonic()

    outcome = run(app.task(name="shop.spin", timeout_s=0.05)(spin))
    assert outcome.cause.error_class == "TaskTimeout"

    async def fine() -> str:
        return "fine"

    assert isinstance(run(app.task(name="shop.fine")(fine)), Ack)


def test_a_coroutine_that_catches_its_cancellation_has_not_finished_in_time(app, run):
    async def stubborn() -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return "done all the same"
        return "done"

    outcome = run(app.task(name="shop.stubborn", timeout_s=0.05)(stubborn))
    assert outcome.cause.error_class == "TaskTimeout"


def test_a_coroutine_is_stopped_at_its_next_await():
    loop = EventLoop()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: loop.interrupt(TaskStopped("asked for")))

    async def ask() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(30)

    with pytest.raises(TaskStopped, match="asked for"):
        loop.run(ask())
    signal.signal(signal.SIGUSR1, before)
    assert not loop.interrupt(TaskTimeout("nothing runs"))
    loop.close()


def test_a_forked_child_has_a_loop_of_its_own():
    loop = EventLoop()

    async def where() -> int:
        await asyncio.sleep(0)
        return os.getpid()

    assert loop.run(where()) == os.getpid()
    assert in_child(lambda: loop.run(where()) == os.getpid())
    assert loop.run(where()) == os.getpid()
    loop.close()


def test_a_box_runs_coroutines_inside_a_running_loop(app):
    async def add(a: int, b: int) -> int:
        await asyncio.sleep(0)
        return a + b

    task = app.task(name="shop.add", result_ttl_s=60)(add)

    async def check() -> int:
        with app.testing() as box:
            ref = await task.aenqueue(1, 2)
            box.run_all()
            return ref.result

    assert asyncio.run(check()) == 3


def test_sync_runs_a_coroutine_where_it_is_enqueued():
    app = making.app(transport="sync://")
    ran = []

    async def note(number: int) -> None:
        ran.append(number)

    task = app.task(name="shop.note")(note)
    task.enqueue(1)

    async def view() -> None:
        await task.aenqueue(2)

    asyncio.run(view())
    assert ran == [1, 2]


def test_a_plain_call_of_an_asynchronous_task_is_awaited(app):
    async def add(context: Context, a: int) -> int:
        return a + context.attempt

    task = app.task(name="shop.add")(add)
    assert asyncio.run(task(1)) == 2
    assert asyncio.run(task(Context.for_test(attempt=5), 1)) == 6


def test_generators_and_asynchronous_batches_are_refused(app):
    async def batch(items: list[int]) -> None: ...

    async def generator():
        yield 1

    with pytest.raises(UsageError, match="a batch task cannot be a coroutine"):
        app.batch(size=5, name="shop.batch")(batch)
    with pytest.raises(UsageError, match="a call of a generator function runs nothing"):
        app.task(name="shop.generator")(generator)

"""A child that a task forks and that comes back into the runner ends there: its parent alone says how all ended."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import contextmanager

import pytest

from cronq.messages.message import Ack, Release, State
from tests.consumer.batches import Batch
from tests.consumer.crew import Crew
from tests.consumer.isolation_helpers import Cell

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


class Helper:
    """Forks once, does `work` in the child, and knows in the parent how that ended."""

    def __init__(self, work=lambda: None) -> None:
        self.work = work
        self.code: int | None = None

    def fork(self) -> None:
        pid = os.fork()
        if pid == 0:
            self.work()
            return
        self.code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def fail():
    raise ValueError("boom in the child")


@pytest.fixture
def marks():
    """What processes have done, the children's included."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    class Marks:
        def add(self, text: str) -> None:
            os.write(writer, f"{text}\n".encode())

        def all(self) -> list[str]:
            try:
                return os.read(reader, 4096).decode().split()
            except BlockingIOError:
                return []

    yield Marks()
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    ("work", "code"),
    [
        (lambda: None, 0),
        (sys.exit, 0),
        (lambda: sys.exit(3), 3),
        (lambda: sys.exit("no room"), 1),
        (fail, 1),
    ],
)
def test_a_child_ends_where_it_comes_back_and_only_the_parent_has_an_outcome(bench, marks, work, code):
    helper = Helper(work)
    bench.app.reset(lambda: marks.add("reset"))
    assert isinstance(bench.run(helper.fork), Ack)
    assert (helper.code, marks.all()) == (code, ["reset"])


def test_its_traceback_is_printed(bench, capfd):
    bench.run(Helper(fail).fork)
    assert "ValueError: boom in the child" in capfd.readouterr().err


def test_what_it_has_printed_is_not_lost(bench, capfd):
    bench.run(Helper(lambda: print("done", end="")).fork)
    assert "done" in capfd.readouterr().out


def test_it_does_not_leave_the_arounds_of_its_parent(bench, marks):
    @bench.app.around
    @contextmanager
    def transaction(context):
        try:
            yield
        finally:
            marks.add("committed")

    helper = Helper(fail)
    assert isinstance(bench.run(helper.fork), Ack)
    assert (helper.code, marks.all()) == (1, ["committed"])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_child_of_an_around_ends_as_well(bench, marks, when):
    helper = Helper()

    @bench.app.around
    @contextmanager
    def forking(context):
        if when == "before":
            helper.fork()
        yield
        if when == "after":
            helper.fork()

    bench.app.reset(lambda: marks.add("reset"))
    assert isinstance(bench.run(lambda: None), Ack)
    assert (helper.code, marks.all()) == (0, ["reset"])


@pytest.mark.parametrize(("work", "code"), [(lambda: None, 0), (fail, 1)])
def test_a_child_of_a_hook_ends_as_well(bench, marks, work, code):
    helper = Helper(work)
    bench.app.reset(helper.fork)
    bench.app.reset(lambda: marks.add("next"))
    assert isinstance(bench.run(lambda: None), Ack)
    assert (helper.code, marks.all()) == (code, ["next"])


def test_the_parent_s_failure_is_its_own(bench):
    helper = Helper()

    def task():
        pid = os.getpid()
        helper.fork()
        if os.getpid() == pid:
            raise ValueError("boom in the parent")

    assert (type(bench.run(task)), helper.code) == (Release, 0)


def test_a_child_of_a_coroutine_ends_as_well(bench):
    helper = Helper()

    async def task():
        await asyncio.sleep(0)
        helper.fork()

    assert (type(bench.run(task)), helper.code) == (Ack, 0)


def test_a_child_of_an_isolated_message_writes_no_answer_for_it():
    def task():
        helper = Helper(fail)
        helper.fork()
        assert helper.code == 1
        return "of the parent"

    outcome = Cell().run(task, result_ttl_s=60)
    assert isinstance(outcome, Ack)
    assert outcome.result == b'"of the parent"'


def test_a_child_of_a_batch_settles_none_of_its_messages():
    crew, helper = Crew(), Helper(fail)
    batch = Batch(crew)
    batch.inside = lambda items: helper.fork()
    batch.send(1, 2, 3)
    crew.step(2)
    assert (helper.code, len(batch.calls), crew.transport.counts()) == (1, 1, [])


def test_a_child_under_a_box_does_not_go_on_with_the_tests():
    crew, helper = Crew(), Helper(sys.exit)

    def forking():
        helper.fork()

    task = crew.task(forking)
    with crew.app.testing() as box:
        task.enqueue()
        box.run_all()
        assert (helper.code, crew.transport.browse(State.FAILED)) == (0, [])

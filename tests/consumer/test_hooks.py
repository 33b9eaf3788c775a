from __future__ import annotations

from contextlib import contextmanager

import pytest

from cronq.messages.message import Ack, Release
from tests.consumer.crew import Crew
from tests.consumer.isolation_helpers import Cell


@pytest.fixture
def cell() -> Cell:
    return Cell()


def plain(cell, function):
    return cell.run(function, isolated=False)


def test_reset_is_called_after_every_message_and_its_arounds(cell):
    seen = []

    @cell.app.around
    @contextmanager
    def around(context):
        yield
        seen.append("left")

    @cell.app.reset
    def empty_caches():
        seen.append("reset")

    plain(cell, lambda: seen.append("ran"))
    assert seen == ["ran", "left", "reset"]


def test_reset_is_called_after_a_failure_too(cell):
    seen = []
    cell.app.reset(lambda: seen.append("reset"))
    assert isinstance(plain(cell, lambda: 1 / 0), Release)
    assert seen == ["reset"]


def test_an_error_in_a_reset_is_reported_and_changes_nothing(cell):
    seen = []

    @cell.app.reset
    def broken():
        raise OSError("no cache")

    cell.app.reset(lambda: seen.append("the next one"))
    assert isinstance(plain(cell, lambda: None), Ack)
    assert seen == ["the next one"]
    facts = next(facts for name, facts in cell.events if name == "hook_failed")
    assert (facts["kind"], facts["hook"].endswith("broken"), str(facts["error"])) == ("reset", True, "no cache")


def test_an_idle_consumer_closes_connections_once():
    crew, closed = Crew(), []
    crew.app.disconnect(lambda: closed.append(1))
    crew.task().enqueue(1)
    crew.step(2)
    assert closed == []
    crew.step(5)
    assert closed == [1]


def test_it_closes_them_again_after_it_has_worked():
    crew, closed = Crew(), []
    crew.app.disconnect(lambda: closed.append(1))
    task = crew.task()
    for _ in range(2):
        task.enqueue(1)
        crew.step(5)
    assert closed == [1, 1]

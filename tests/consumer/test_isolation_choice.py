from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

import pytest

from cronq.config.settings import Inline, Queue
from cronq.consumer.isolation import Confinement
from cronq.consumer.isolation_choice import confinement_of, inline_queues
from tests.making import app, settings

if TYPE_CHECKING:
    from cronq.tasks.decorator import TaskOptions


def task(**options: Unpack[TaskOptions]):
    return app().task(name="t", **options)(lambda: None)


@pytest.mark.parametrize(
    ("of_task", "of_queue", "of_group", "isolated"),
    [
        (False, None, False, False),
        (True, None, False, True),
        (False, True, False, True),
        (True, False, False, False),
        (False, None, True, True),
        (True, False, True, True),
    ],
)
def test_task_queue_and_group_say_together_what_is_isolated(of_task, of_queue, of_group, isolated):
    confinement = confinement_of(settings("/nowhere", queues={"low": Queue("low", isolated=of_queue)}), of_group)
    assert (confinement(task(isolated=of_task), "low") is not None) is isolated


def test_a_queue_that_says_nothing_leaves_it_to_the_task():
    confinement = confinement_of(settings("/nowhere", queues={"low": Queue("low", isolated=True)}), everything=False)
    assert confinement(task(), "high") is None
    assert confinement(task(isolated=True, memory_mb=64, capture_output=True), "high") == Confinement(64, captures=True)


def test_the_memory_of_a_queue_wins_over_the_task_s():
    confinement = confinement_of(settings("/nowhere", queues={"low": Queue("low", memory_mb=128)}), everything=False)
    assert confinement(task(isolated=True, memory_mb=64), "low") == Confinement(128)
    assert confinement(task(isolated=True), "low") == Confinement(128)


def test_web_processes_leave_isolated_queues_alone():
    known = settings("/nowhere", inline=Inline(("high", "low")), queues={"low": Queue("low", isolated=True)})
    assert inline_queues(known, known.inline.queues) == ("high",)

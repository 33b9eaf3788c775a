"""Stopping, seen from a consumer that is stepped by the test."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from cronq import Context, TaskStopped, TransportError
from cronq.consumer.alarm import Alarm
from cronq.consumer.stops import GRACE_S, LOOK_S, Stops
from cronq.messages.message import State
from cronq.tasks.retry import Enough, Retry
from tests.clocks import FakeClock
from tests.consumer.crew import Crew
from tests.presence import there
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def alarm_of_pytest() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class Asked:
    """Who is to be stopped, and how often that was asked."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.times = 0
        self.broken = False
        self.is_busy = False
        self.clock = FakeClock()
        self.stops = Stops(self.clock, self.answer, lambda: self.is_busy)

    def answer(self) -> list[str]:
        self.times += 1
        if self.broken:
            raise TransportError("away")
        return self.ids


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_it_is_asked_twice_a_second_at_most(asked):
    for _ in range(100):
        asked.stops.task_asks()
        asked.clock.advance(LOOK_S / 10)
    assert asked.times == 10


def test_the_running_message_is_meant_and_no_other(asked):
    asked.ids = ["b"]
    asked.stops.running = ("a",)
    assert (asked.stops.is_asked(), asked.stops.due_in()) == (False, None)
    asked.stops.running = ("b",)
    assert (asked.stops.is_asked(), asked.stops.due_in()) == (True, 0.0)


def test_a_call_of_several_messages_is_meant_when_all_of_them_are(asked):
    asked.stops.running = ("a", "b")
    asked.ids = ["b", "c"]
    assert (asked.stops.is_asked(), asked.stops.due_in()) == (False, None)
    asked.ids = ["c", "b", "a"]
    assert asked.stops.due_in() == 0.0
    assert asked.stops.is_asked()


def test_between_two_messages_nobody_is_meant(asked):
    asked.ids = ["a"]
    assert (asked.stops.is_asked(), asked.stops.due_in()) == (False, None)


def test_a_task_that_looks_has_time_to_end_by_itself(asked):
    asked.ids = ["a"]
    asked.stops.running = ("a",)
    assert asked.stops.task_asks()
    assert asked.stops.due_in() == GRACE_S
    asked.clock.advance(GRACE_S - 1)
    assert asked.stops.due_in() == pytest.approx(1)
    asked.clock.advance(1)
    assert asked.stops.due_in() == 0


def test_in_the_middle_of_a_transaction_nothing_is_asked(asked):
    asked.ids = ["a"]
    asked.stops.running, asked.is_busy = ("a",), True
    assert asked.stops.due_in() > 0
    assert asked.times == 0
    asked.is_busy = False
    assert asked.stops.due_in() == 0


def test_a_transport_that_cannot_be_asked_stops_nobody(asked):
    asked.stops.running, asked.broken = ("a",), True
    assert not asked.stops.is_asked()
    assert asked.stops.due_in() == LOOK_S


def test_the_alarm_stops_what_runs_and_nothing_between_two_messages(alarm_of_pytest):
    alarm = Alarm(FakeClock(), lambda: 0.0)
    os.kill(os.getpid(), signal.SIGALRM)  # nothing runs: nothing is raised
    alarm.start(None)
    with pytest.raises(TaskStopped):
        os.kill(os.getpid(), signal.SIGALRM)
    alarm.stop()
    os.kill(os.getpid(), signal.SIGALRM)


def test_the_alarm_comes_again_when_it_was_too_early(alarm_of_pytest):
    answers = [0.01, 0.01, 0.0]
    clock = FakeClock()
    alarm = Alarm(clock, lambda: answers.pop(0))
    alarm.start(None)
    os.kill(os.getpid(), signal.SIGALRM)
    with pytest.raises(TaskStopped):
        wait_until(lambda: False)
    assert answers == []


@pytest.mark.parametrize("retry", [Retry(0), Retry(5, retry_on=("BaseException",))])
def test_no_retry_policy_repeats_what_was_stopped(retry):
    assert retry.decide(1, TaskStopped("enough")) == Enough()


def test_a_task_may_stop_itself():
    crew = Crew()

    def stop() -> None:
        raise TaskStopped("nothing to do")

    crew.task(stop).enqueue()
    crew.step(2)
    (record,) = crew.transport.browse(State.FAILED)
    assert (record.error_class, record.message.attempt) == ("TaskStopped", 1)


def test_a_message_that_is_released_after_it_was_stopped_is_not_run_again():
    crew = Crew()

    def fail() -> None:
        crew.ran.append("once")
        crew.transport.ask_to_stop([ref.id])
        raise ValueError("by itself")

    ref = crew.task(fail, retry=Retry(5, delay_s=0)).enqueue()
    crew.step(4)
    record = there(crew.transport.find(ref.id))
    assert (crew.ran, record.state, record.error_class) == (["once"], State.FAILED, "TaskStopped")
    assert [one.error_class for one in record.attempts] == ["ValueError", "TaskStopped"]


def test_a_stopped_slice_is_the_last_one_and_its_cursor_is_kept():
    crew = Crew()

    def count(context: Context) -> object:
        crew.ran.append(context.cursor)
        crew.transport.ask_to_stop([ref.id])
        return context.continue_later((context.cursor or 0) + 1)

    ref = crew.task(count).enqueue()
    crew.step(4)
    assert (crew.ran, ref.status) == ([None], "failed")
    crew.transport.revive([ref.id])
    crew.step(4)
    assert (crew.ran, ref.status) == ([None, 1], "failed")


def test_a_failure_callback_is_told_of_a_stop():
    crew = Crew()

    def tell(failure) -> None:
        crew.ran.append(failure["error_class"])

    def fail() -> None:
        crew.transport.ask_to_stop([ref.id])
        raise ValueError("by itself")

    ref = crew.task(fail, on_failure=crew.task(tell), retry=Retry(5, delay_s=0)).enqueue()
    crew.step(6)
    assert crew.ran == ["TaskStopped"]


def test_what_waits_is_cancelled_and_what_runs_is_not():
    crew = Crew()
    said = []

    def cancel() -> None:
        said.extend([ref.cancel(), later.cancel(), later.cancel(), later.stop()])

    task = crew.task(cancel)
    ref, later = task.enqueue(), task.using(delay_s=60).enqueue()
    crew.step(3)
    assert said == [False, True, False, False]
    assert ref.status == later.status == "gone"


def test_a_failed_message_is_not_cancelled():
    crew = Crew()

    def stop() -> None:
        raise TaskStopped("nothing to do")

    ref = crew.task(stop).enqueue()
    crew.step(2)
    assert (ref.cancel(), ref.status) == (False, "failed")

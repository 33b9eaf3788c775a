from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from cronq.clock import SystemClock
from cronq.consumer.alarm import Alarm, NoTimer
from cronq.errors import TaskTimeout
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _alarm_of_pytest() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def alarm() -> Alarm:
    return Alarm(SystemClock())


def never() -> bool:
    return False


def hang(timer: Alarm, timeout_s: float) -> None:
    """Start what ends it and hang, as one call: between two, the timeout would come too early for who expects it."""
    timer.start(timeout_s)
    wait_until(never)


def test_a_timeout_is_raised_inside_the_running_code():
    timer = alarm()
    with pytest.raises(TaskTimeout, match=r"took longer than its timeout of 0\.02 s"):
        hang(timer, 0.02)


def test_except_exception_does_not_swallow_a_timeout():
    def stubborn():
        try:
            hang(timer, 0.02)
        except Exception:
            return "swallowed"

    timer = alarm()
    with pytest.raises(TaskTimeout):
        stubborn()


def test_a_timeout_interrupts_a_blocking_call():
    def block():
        timer.start(0.02)
        time.sleep(600)

    timer = alarm()
    began = time.monotonic()
    with pytest.raises(TaskTimeout):
        block()
    assert time.monotonic() - began < 300


def test_a_stopped_timer_raises_nothing():
    timer = alarm()
    timer.start(60)
    timer.stop()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_timeout_is_raised_once():
    timer = alarm()
    with pytest.raises(TaskTimeout):
        hang(timer, 0.01)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_no_timeout_sets_no_timer():
    alarm().start(None)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_share_is_called_once_in_the_middle_of_a_message():
    calls = []
    timer = alarm()

    def share():
        calls.append(1)
        return True

    timer.share_after(0.01, share)
    wait_until(lambda: calls)
    assert (len(calls), signal.getitimer(signal.ITIMER_REAL)) == (1, (0.0, 0.0))


def test_share_is_called_again_until_it_is_done():
    calls = []
    timer = alarm()

    def share():
        calls.append(1)
        return len(calls) == 3

    timer.share_after(0.001, share)
    wait_until(lambda: len(calls) == 3)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_share_is_not_called_once_it_is_called_off():
    calls = []
    timer = alarm()

    def share():
        calls.append(1)
        return True

    timer.share_after(60, share)
    timer.share_after(None, share)
    assert (calls, signal.getitimer(signal.ITIMER_REAL)) == ([], (0.0, 0.0))


def test_sharing_and_a_timeout_share_the_timer():
    calls = []
    timer = alarm()

    def share():
        calls.append(1)
        return True

    timer.share_after(0.01, share)
    with pytest.raises(TaskTimeout):
        hang(timer, 0.05)
    assert calls == [1]


def test_where_signals_are_somebody_else_s_nothing_is_timed():
    before = signal.getsignal(signal.SIGALRM)
    timer = NoTimer()
    timer.start(0.001)
    timer.stop()
    assert signal.getsignal(signal.SIGALRM) is before

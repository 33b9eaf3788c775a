from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from cronq.consumer.lifetime import ChangedFiles, Leaving
from cronq.consumer.limits import IdleLimit, Limit, MessageLimit, TimeLimit
from cronq.consumer.tally import Tally
from tests.clocks import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


def after_signals(code: str) -> str:
    """Run `code` in a process that listens with `signals`, and return what it prints."""
    source = (
        "import os, signal, time\nfrom cronq.consumer.lifetime import Signals\nsignals = Signals()\nsignals.listen()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source + textwrap.dedent(code)], capture_output=True, text=True, timeout=600, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGQUIT"])
def test_a_signal_is_a_reason_to_leave_and_interrupts_nothing(name):
    assert after_signals(f"os.kill(os.getpid(), signal.{name}); print(signals.reason())") == f"{name} received"


def test_without_a_signal_there_is_no_reason():
    assert after_signals("print(signals.reason())") == "None"


def test_a_signal_wakes_an_idle_consumer(home):
    code = f"""
    from cronq.host.bell import Bells
    bells = Bells([{str(home / "high")!r}], signals.wake_descriptor)
    if os.fork() == 0:
        time.sleep(0.05)
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(0)
    began = time.monotonic()
    bells.wait(500)
    os.wait()
    print(signals.reason(), time.monotonic() - began < 250)
    """
    assert after_signals(code) == "SIGTERM received True"


def test_a_timer_s_signal_ends_one_wait_and_not_every_wait_after_it(home):
    """Otherwise one timeout, or one batch that was shared, would keep an idle consumer busy until its end."""
    code = f"""
    from cronq.host.bell import Bells
    signal.signal(signal.SIGALRM, lambda number, frame: None)
    bells = Bells([{str(home / "high")!r}], signals.wake_descriptor)
    os.kill(os.getpid(), signal.SIGALRM)
    times = [time.monotonic()]
    for at_most_s in (500, 0.05):
        bells.wait(at_most_s)
        times.append(time.monotonic())
    print(times[1] - times[0] < 250, times[2] - times[1] >= 0.05)
    """
    assert after_signals(code) == "True True"


def test_a_signal_between_two_looks_is_not_slept_over(home):
    code = f"""
    from cronq.host.bell import Bells
    bells = Bells([{str(home / "high")!r}], signals.wake_descriptor)
    os.kill(os.getpid(), signal.SIGTERM)
    bells.drain()
    began = time.monotonic()
    bells.wait(500)
    print(time.monotonic() - began < 250)
    """
    assert after_signals(code) == "True"


def test_listening_unblocks_what_the_starter_had_blocked():
    code = """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signals.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    print(signals.reason())
    """
    assert after_signals(code) == "SIGTERM received"


def test_a_process_that_a_task_forks_ends_on_sigterm_as_any_other():
    """`multiprocessing` ends its children so, and waits for them."""
    code = """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"!")
        time.sleep(500)
        os._exit(0)
    os.read(reader, 1)
    os.kill(child, signal.SIGTERM)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), signals.reason())
    """
    assert after_signals(code) == f"{-signal.SIGTERM} None"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "restart.txt"


def changed_reason(path: Path, change, clock: FakeClock) -> str | None:
    files = ChangedFiles([str(path)], clock)
    change(path)
    clock.advance(0.5)
    return files.reason()


def test_a_file_that_is_made_is_a_reason(file):
    assert changed_reason(file, lambda path: path.touch(), FakeClock()) == f"{file} changed"


def test_a_file_that_is_touched_is_a_reason(file):
    file.touch()
    assert changed_reason(file, lambda path: os.utime(path, (1, 1)), FakeClock()) == f"{file} changed"


def test_a_file_that_is_removed_is_a_reason(file):
    file.touch()
    assert changed_reason(file, lambda path: path.unlink(), FakeClock()) == f"{file} changed"


def test_a_file_that_is_replaced_by_one_as_old_is_a_reason(file):
    def replace(path):
        other = path.with_suffix(".new")
        other.touch()
        os.utime(other, (5, 5))
        os.replace(other, path)

    file.touch()
    os.utime(file, (5, 5))
    assert changed_reason(file, replace, FakeClock()) == f"{file} changed"


def test_files_that_stay_as_they_were_are_none(file):
    file.touch()
    assert changed_reason(file, lambda path: None, FakeClock()) is None


def test_files_are_looked_at_twice_a_second_at_most(file):
    clock = FakeClock()
    files = ChangedFiles([str(file)], clock)
    file.touch()
    assert files.reason() is None
    clock.advance(0.5)
    assert files.reason() is not None


def test_a_reason_stays_one_however_often_it_is_asked_for(file):
    """A task that asks `context.should_stop` must not take the answer away from its consumer."""
    clock = FakeClock()
    files = ChangedFiles([str(file)], clock)
    file.touch()
    clock.advance(0.5)
    assert files.reason() == files.reason() == f"{file} changed"


def test_limits_are_asked_before_other_reasons():
    tally = Tally()
    tally.messages = 3
    leaving = Leaving(tally, [MessageLimit(3)], [lambda: "told so"])
    assert leaving.reason() == "3 messages run"


def test_there_is_no_reason_while_nobody_has_one():
    assert Leaving(Tally(), [MessageLimit(3)], [lambda: None]).reason() is None


def test_leaving_comes_with_the_first_limit_that_comes_by_itself():
    clock, idle = FakeClock(), Tally()
    idle.idle_since = clock.monotonic()
    limits: list[Limit] = [TimeLimit(clock.monotonic() + 90, clock), MessageLimit(3), IdleLimit(1, lambda: True, clock)]
    assert Leaving(idle, limits).comes_at() == clock.monotonic() + 1
    assert Leaving(Tally(), limits).comes_at() == clock.monotonic() + 90
    assert Leaving(Tally(), limits[1:]).comes_at() is None

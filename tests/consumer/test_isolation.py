from __future__ import annotations

import ctypes
import faulthandler
import gc
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from cronq import Context, GiveUp, Retry
from cronq.consumer import isolation, watch
from cronq.messages.message import Ack, Fail, Release
from tests.consumer.isolation_helpers import Cell
from tests.processes import says
from tests.waiting import has_ended, wait_until

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def cell() -> Cell:
    return Cell()


@contextmanager
def streams():
    """The streams of a consumer, which write to its descriptors 1 and 2; pytest's own write to files."""
    with (
        open(1, "w", closefd=False) as out,
        open(2, "w", closefd=False) as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        yield


@pytest.fixture
def hurried(monkeypatch) -> Cell:
    """A cell whose patience with a timeout is short, and long enough after SIGTERM for it to be what ends a child."""
    monkeypatch.setattr(watch, "TERM_AFTER_S", 0.1)
    monkeypatch.setattr(watch, "KILL_AFTER_S", 300)
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    return Cell()


@contextmanager
def blocked(*signals):
    """Block signals from the fork on: a child that did it itself might be too late."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def crash():
    faulthandler.disable()  # pytest's
    ctypes.string_at(0)


def fail(text: str = "boom"):
    raise ValueError(text)


def nothing():
    pass


def choose(fails: bool):
    if fails:
        fail()


def data_mb() -> int:
    """What this process has already, which a child inherits (proc(5), VmData): more with every test before."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmData:")[2].split()[0]) // 1024


def eat(megabytes: int):
    held = [bytearray(1 << 20) for _ in range(megabytes)]
    return len(held)


def test_a_message_runs_in_a_process_of_its_own(cell):
    outcome = cell.run(os.getpid, result_ttl_s=60)
    assert isinstance(outcome, Ack)
    assert int(outcome.result) != os.getpid()


def test_its_process_is_gone_when_it_has_ended(cell):
    pid = int(cell.run(os.getpid, result_ttl_s=60).result)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_it_changes_in_memory_is_not_seen_by_the_consumer(cell):
    seen = []
    cell.run(lambda: seen.append(1))
    assert seen == []


def test_a_large_result_comes_back_whole(cell):
    outcome = cell.run(lambda: "x" * 1_000_000, result_ttl_s=60)
    assert len(outcome.result) == 1_000_002


def test_arguments_and_context_are_as_in_any_process(cell):
    def task(number: int, context: Context):
        return [number, context.attempt]

    assert cell.run(task, body=b'{"number":7}', attempt=2, result_ttl_s=60).result == b"[7,2]"


def test_a_failure_is_decided_on_the_real_exception(cell):
    class NoSuchUser(LookupError):
        pass

    def task():
        raise NoSuchUser("ada")

    outcome = cell.run(task, retry=Retry(9, give_up_on=(LookupError,)))
    assert isinstance(outcome, Fail)
    assert outcome.cause[:2] == ("NoSuchUser", "ada")
    assert outcome.error.startswith("Traceback")
    assert outcome.error.endswith("NoSuchUser: ada\n")


def test_a_failure_that_may_be_tried_again_comes_back_with_its_wait(cell):
    outcome = cell.run(fail, retry=Retry(3, delay_s=10, jitter=0))
    assert (type(outcome), outcome.delay_s) == (Release, 10)


def test_time_and_memory_of_a_failure_are_measured_from_outside(cell):
    def task():
        time.sleep(0.05)
        eat(60)
        fail()

    cause = cell.run(task).cause
    assert 0.05 <= cause.took_s < 300
    assert cause.peak_mb > 60


def test_what_happened_is_told_in_the_consumer(cell):
    cell.run(choose, body=b'{"fails":false}')
    cell.run(choose, body=b'{"fails":true}')
    cell.run(choose, body=b'{"fails":true}', retry=Retry(1))
    assert cell.told() == ["reserved", "finished", "reserved", "released", "reserved", "failed"]
    assert cell.events[-1][1]["error"] == "ValueError: boom"


def test_how_long_it_took_is_remembered(cell):
    cell.run(lambda: None)
    assert cell.runner.durations.p95()["shop.task"] > 0


def test_a_crash_is_told_with_its_signal(cell):
    outcome = cell.run(crash)
    assert isinstance(outcome, Release)
    assert outcome.cause.error_class == "Killed"
    assert outcome.cause.text.startswith("ended by SIGSEGV, its peak was ")


def test_a_kill_from_outside_is_told_as_one(cell):
    cause = cell.run(lambda: os.kill(os.getpid(), signal.SIGKILL)).cause
    assert cause.error_class == "Killed"
    assert cause.text.startswith("ended by SIGKILL")


def test_a_kill_near_the_limit_of_the_control_group_is_probably_a_lack_of_memory(cell, monkeypatch):
    monkeypatch.setattr(isolation, "limit_mb", lambda group: 10.0)
    cause = cell.run(lambda: os.kill(os.getpid(), signal.SIGKILL)).cause
    assert cause.error_class == "OutOfMemory"
    assert "probably out of memory, last seen at " in cause.text


def test_a_kill_that_the_control_group_counted_is_a_lack_of_memory(cell, monkeypatch):
    counts = iter([3, 4])
    monkeypatch.setattr(isolation, "oom_kills", lambda group: next(counts))
    cause = cell.run(lambda: os.kill(os.getpid(), signal.SIGKILL)).cause
    assert cause.error_class == "OutOfMemory"
    assert "the kernel has killed for lack of it" in cause.text


def test_leaving_without_a_word_is_told_with_the_exit_code(cell):
    cause = cell.run(lambda: os._exit(7)).cause
    assert cause.error_class == "Killed"
    assert cause.text.startswith("its process left with exit code 7 before the task had returned")


@pytest.mark.parametrize(
    ("policy", "attempt", "kind"),
    [(Retry(2), 1, Release), (Retry(2), 2, Fail), (Retry(2, give_up_on=("Killed",)), 1, Fail)],
)
def test_a_death_is_retried_and_given_up_like_a_failure(cell, policy, attempt, kind):
    assert isinstance(cell.run(crash, retry=policy, attempt=attempt), kind)


def test_sys_exit_is_a_failure(cell):
    assert cell.run(lambda: sys.exit(3)).cause.error_class == "SystemExit"


def test_too_much_memory_is_refused_to_the_message_alone(cell):
    most = data_mb() + 150
    cause = cell.run(lambda: eat(4000), memory_mb=most).cause
    assert cause.error_class == "MemoryError"
    assert cause.text == f"out of memory: it may have {most} MB (memory_mb)"
    assert cause.peak_mb < most + 200


def test_memory_below_the_limit_is_there(cell):
    assert cell.run(lambda: eat(50), memory_mb=data_mb() + 450, result_ttl_s=60).result == b"50"


def test_a_message_that_takes_too_long_is_interrupted_where_it_hangs(cell, monkeypatch):
    def wait_for_nothing():
        time.sleep(600)

    monkeypatch.setattr(watch, "TERM_AFTER_S", 300)
    outcome = cell.run(wait_for_nothing, timeout_s=0.5)
    assert outcome.cause[:2] == ("TaskTimeout", "took longer than its timeout of 0.5 s")
    assert "in wait_for_nothing" in outcome.error
    assert cell.told() == ["reserved", "timed_out", "released"]


def test_who_does_not_react_to_its_timeout_is_terminated(hurried):
    with blocked(signal.SIGALRM):
        cause = hurried.run(lambda: time.sleep(600), timeout_s=0.1).cause
    assert cause.error_class == "TaskTimeout"
    assert "timeout of 0.1 s, and only SIGTERM ended it" in cause.text


def test_who_does_not_react_to_that_either_is_killed(hurried, monkeypatch):
    monkeypatch.setattr(watch, "KILL_AFTER_S", 0.2)
    with blocked(signal.SIGALRM, signal.SIGTERM):
        cause = hurried.run(lambda: time.sleep(600), timeout_s=0.1).cause
    assert "and only SIGKILL ended it" in cause.text


def test_who_never_stops_printing_is_ended_as_well(hurried, capfd):
    def task():
        while True:
            os.write(1, b".")

    with blocked(signal.SIGALRM):
        cause = hurried.run(task, timeout_s=0.05, capture_output=True).cause
    assert "and only SIGTERM ended it" in cause.text


def test_what_it_started_ends_with_who_is_terminated(hurried, tmp_path, monkeypatch):
    def task():
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (tmp_path / "new").write_text(str(helper.pid))
        (tmp_path / "new").rename(tmp_path / "helper")
        time.sleep(600)

    stop_when_due = watch.Watch._stop_when_due
    monkeypatch.setattr(
        watch.Watch, "_stop_when_due", lambda self: (tmp_path / "helper").exists() and stop_when_due(self)
    )
    with blocked(signal.SIGALRM):
        cause = hurried.run(task, timeout_s=0.1).cause
    assert "and only SIGTERM ended it" in cause.text
    helper = int((tmp_path / "helper").read_text())
    wait_until(lambda: has_ended(helper))


def test_who_asks_learns_that_the_consumer_is_to_leave(hurried):
    def task(context: Context):
        while not context.should_stop:
            time.sleep(0.005)
        return "stopped"

    hurried.told_to_leave = True
    assert hurried.run(task, timeout_s=600, result_ttl_s=60).result == b'"stopped"'


def test_output_is_kept_with_a_failed_attempt_that_asked_for_it(cell, capfd):
    def task():
        print("before", flush=True)
        subprocess.run(["echo", "from a program"], check=True)
        print("to stderr", file=sys.stderr)
        fail()

    with streams():
        output = cell.run(task, capture_output=True).cause.output
    assert output == "before\nfrom a program\nto stderr\n"
    assert "from a program" in capfd.readouterr().err


def test_of_much_output_the_end_is_kept(cell, capfd):
    def task():
        print("x" * 1_000_000 + "the end")
        fail()

    with streams():
        output = cell.run(task, capture_output=True).cause.output
    assert (len(output), output[-8:]) == (2000, "the end\n")
    assert len(capfd.readouterr().err) == 1_000_008


def test_the_last_words_of_a_crash_are_kept(cell, capfd):
    def task():
        os.write(1, b"almost done\n")
        crash()

    assert cell.run(task, capture_output=True).cause.output == "almost done\n"


def test_output_goes_where_the_consumer_s_goes_otherwise(cell, capfd):
    with streams():
        cell.run(lambda: print("hello"))
    assert capfd.readouterr().out == "hello\n"


def test_what_was_printed_before_is_not_printed_twice(capfd):
    cell = Cell()
    with streams():
        sys.stdout.write("once")
        cell.run(nothing)
    assert capfd.readouterr().out == "once"


def test_arounds_and_resets_are_called_there(cell, tmp_path):
    @cell.app.around
    @contextmanager
    def around(context):
        yield
        note("left")

    def note(text):
        with open(tmp_path / "notes", "a") as file:
            file.write(f"{text} {os.getpid() == parent}\n")

    parent = os.getpid()
    cell.app.reset(lambda: note("reset"))
    cell.run(lambda: note("task"))
    assert (tmp_path / "notes").read_text() == "task False\nleft False\nreset False\n"


def test_connections_are_closed_before_the_fork_and_again_only_when_something_ran(cell):
    closed = []
    cell.app.disconnect(lambda: closed.append(os.getpid()))
    cell.run(nothing)
    cell.run(nothing)
    assert closed == [os.getpid()]
    cell.run(nothing, isolated=False)
    cell.run(nothing)
    assert closed == [os.getpid()] * 2


def test_a_process_that_is_left_behind_is_reported_once(cell, tmp_path):
    def task():
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open(tmp_path / "helpers", "a") as file:
            file.write(f"{helper.pid}\n")
        helper.returncode = 0  # it is meant to go on

    cell.run(task)
    cell.run(task)
    for pid in (tmp_path / "helpers").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    assert cell.told().count("leftovers") == 1


def test_a_host_without_room_for_a_process_costs_no_attempt(cell, monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    outcome = cell.run(lambda: None)
    assert (type(outcome), outcome.uncounted, outcome.delay_s) == (Release, True, 10.0)
    assert cell.told() == ["reserved", "pressure"]


def test_a_host_without_room_ends_a_message_that_runs_at_most_once(cell, monkeypatch):
    def refuse():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    assert isinstance(cell.run(nothing, ack_first=True), Fail)
    assert cell.told() == ["reserved", "pressure", "ended_once"]


def test_a_host_without_room_for_pipes_loses_no_descriptor(cell, monkeypatch):
    cell.run(nothing)
    gc.collect()  # what earlier tests left open is closed now, not in between
    before, pipes = len(os.listdir("/proc/self/fd")), [os.pipe()]

    def pipe():
        if not pipes:
            raise OSError(24, "Too many open files")
        return pipes.pop()

    monkeypatch.setattr(os, "pipe", pipe)
    outcome = cell.run(nothing, capture_output=True)
    assert outcome.uncounted is True
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_descriptor_is_left_open(cell):
    cell.run(nothing, capture_output=True)
    gc.collect()
    before = os.listdir("/proc/self/fd")
    cell.run(nothing, capture_output=True)
    cell.run(nothing, capture_output=True)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_give_up_is_one(cell):
    def task():
        raise GiveUp("no")

    assert isinstance(cell.run(task), Fail)


CONSUMER = """
from cronq.consumer.child import run_in_child

def work():
    say(os.getpid())
    time.sleep(600)

run_in_child(work, None, False, lambda: None)
"""


def test_a_child_does_not_outlive_its_killed_consumer(python):
    consumer = python(CONSUMER)
    pid = int(says(consumer))
    consumer.kill()
    wait_until(lambda: has_ended(pid))


LATE = """
from cronq.consumer import child

gone = os.getpid()
if os.fork() == 0:
    die_with = child._parent_death_signal()
    while os.getppid() == gone:
        time.sleep(0.001)
    try:
        die_with(gone)
        say("it goes on")
    finally:
        say("it is still there")
"""


def test_a_child_whose_consumer_died_before_it_could_ask_leaves_at_once(python):
    consumer = python(LATE)
    assert consumer.stdout.read() == ""

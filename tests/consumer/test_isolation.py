from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cronq import Context, Retry
from cronq.consumer import isolation, watch
from cronq.messages.message import Ack, Fail, Release
from tests.consumer.isolation_helpers import crash, fail, streams
from tests.presence import there

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


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
    assert int(there(outcome.result)) != os.getpid()


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
    assert there(outcome.cause)[:2] == ("NoSuchUser", "ada")
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


def test_a_crash_is_told_with_its_signal(cell):
    outcome = cell.run(crash)
    assert isinstance(outcome, Release)
    cause = there(outcome.cause)
    assert cause.error_class == "Killed"
    assert cause.text.startswith("ended by SIGSEGV, its peak was ")


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
    assert there(outcome.cause)[:2] == ("TaskTimeout", "took longer than its timeout of 0.5 s")
    assert "in wait_for_nothing" in outcome.error
    assert cell.told() == ["reserved", "timed_out", "released"]


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


def test_output_goes_where_the_consumer_s_goes_otherwise(cell, capfd):
    with streams():
        cell.run(lambda: print("hello"))
    assert capfd.readouterr().out == "hello\n"

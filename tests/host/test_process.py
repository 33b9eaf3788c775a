from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from cronq.host import locks, process
from cronq.messages.holder import Holder
from tests.processes import says
from tests.waiting import wait_until

SLEEP = "say('up'); time.sleep(600)"


def holder_of(pid: int, **changes: Any) -> Holder:
    return Holder(process.host_name(), "high.0", pid, process.start_of(pid) or 0, process.boot_id())._replace(**changes)


def test_this_process_runs_and_is_itself():
    me = process.identity("high.0")
    assert (me.pid, me.slot, process.runs(me)) == (os.getpid(), "high.0", True)


def test_an_identity_survives_being_written_down():
    me = process.identity("high.0")
    assert Holder.parse(str(me)) == me


def test_a_signal_reaches_the_process_it_is_meant_for(python):
    child = python(SLEEP)
    says(child)
    assert process.send(holder_of(child.pid), signal.SIGTERM) is True
    assert child.wait(60) == -signal.SIGTERM


def test_a_stranger_with_the_same_pid_is_never_signalled(python):
    child = python(SLEEP)
    says(child)
    stranger = holder_of(child.pid, started=holder_of(child.pid).started - 1)
    assert process.send(stranger, signal.SIGKILL) is False
    assert child.poll() is None


def test_a_process_of_another_boot_is_never_signalled(python):
    child = python(SLEEP)
    says(child)
    assert process.send(holder_of(child.pid, boot="00000000"), signal.SIGKILL) is False
    assert child.poll() is None


def test_a_zombie_counts_as_gone(python):
    child = python("sys.stdin.readline()")
    alive = holder_of(child.pid)
    child.stdin.write("\n")
    child.stdin.flush()
    wait_until(lambda: process.start_of(child.pid) is None)
    assert os.path.exists(f"/proc/{child.pid}")
    assert process.runs(alive) is False
    assert process.send(alive, signal.SIGTERM) is False


@pytest.mark.parametrize("attempt", range(5))
def test_who_has_lost_its_locks_in_a_kill_is_gone(python, tmp_path, attempt):
    """The kernel frees the locks of the dying before it makes them zombies: there is a moment in between."""
    path = str(tmp_path / "lock")
    child = python("from cronq.host import locks; lock = locks.take(sys.argv[1]); say('held'); time.sleep(600)", path)
    says(child)
    killer = python("time.sleep(0.05); os.kill(int(sys.argv[1]), 9)", str(child.pid))
    locks.wait(path).release()
    assert process.start_of(child.pid) is None
    assert killer.wait(60) == 0


def test_a_process_that_never_was_has_no_start():
    assert process.start_of(2**22 + 1) is None


def test_a_process_whose_start_is_unknown_does_not_pass_for_one_that_is_gone():
    assert process.runs(Holder(process.host_name(), "high.0", 2**22 + 1, 0, process.boot_id())) is False


def test_a_program_with_blanks_and_brackets_in_its_name_is_read_right(python):
    code = "import ctypes\nctypes.CDLL(None).prctl(15, b'a) S 1 (b')\nsay('up')\ntime.sleep(600)"
    child = python(code)
    says(child)
    assert process.start_of(child.pid) == holder_of(child.pid).started > 0


def test_somebody_else_s_process_is_not_an_error():
    if os.geteuid() == 0:
        return
    assert process.send(holder_of(1), signal.SIGTERM) is False


def test_memory_is_that_of_this_process():
    assert 5 < process.memory_mb() < 2000


def test_a_host_name_fits_between_slashes():
    assert "/" not in process.host_name()

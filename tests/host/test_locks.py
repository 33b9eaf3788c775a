from __future__ import annotations

import os
import threading

import pytest

from cronq.host import locks
from tests.presence import there
from tests.processes import answer, open_descriptors, says
from tests.waiting import wait_until

HOLD = """
from cronq.host import locks
lock = locks.take(sys.argv[1])
say("held" if lock else "refused")
sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "one.pid")


def test_two_processes_exclude_each_other(path, python):
    assert says(python(HOLD, path)) == "held"
    assert locks.take(path) is None
    assert says(python(HOLD, path)) == "refused"


def test_looking_names_the_holder(path, python):
    holder = python(HOLD, path)
    says(holder)
    assert locks.holder_pid(path) == holder.pid


def test_looking_names_this_process_too(path):
    lock = there(locks.take(path))
    assert locks.holder_pid(path) == os.getpid()
    lock.release()


def test_nobody_holds_what_is_free_or_missing(path):
    assert locks.holder_pid(path) is None
    there(locks.take(path)).release()
    assert locks.holder_pid(path) is None


def test_looking_at_a_missing_lock_does_not_make_it(path):
    locks.holder_pid(path)
    assert not os.path.exists(path)


def test_looking_never_takes(path, python):
    looker = python(
        "from cronq.host import locks\nfor _ in range(300): locks.holder_pid(sys.argv[1])\nsay('done')", path
    )
    missed = 0
    while looker.poll() is None:
        lock = locks.take(path)
        missed += lock is None
        if lock is not None:
            lock.release()
    assert missed == 0


def test_kill_frees(path, python):
    holder = python(HOLD, path)
    says(holder)
    holder.kill()
    wait_until(lambda: locks.holder_pid(path) is None)
    there(locks.take(path)).release()


def test_release_frees_for_other_processes(path, python):
    there(locks.take(path)).release()
    assert says(python(HOLD, path)) == "held"


def test_the_same_process_takes_it_again_after_release(path):
    there(locks.take(path)).release()
    again = locks.take(path)
    assert again is not None
    again.release()


def test_threads_of_one_process_exclude_each_other(path):
    barrier, taken = threading.Barrier(8), []

    def compete():
        barrier.wait()
        taken.append(locks.take(path))

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (lock,) = [lock for lock in taken if lock is not None]
    lock.release()


def test_a_failed_try_by_another_thread_does_not_drop_the_lock(path, python):
    lock = there(locks.take(path))
    thread = threading.Thread(target=locks.take, args=(path,))
    thread.start()
    thread.join()
    assert says(python(HOLD, path)) == "refused"
    lock.release()


def test_looking_at_one_s_own_lock_does_not_drop_it(path, python):
    lock = there(locks.take(path))
    locks.holder_pid(path)
    assert says(python(HOLD, path)) == "refused"
    lock.release()


def test_looking_at_one_s_own_lock_reads_nothing_because_that_would_drop_it(path, python):
    lock = there(locks.take(path))
    os.write(lock.descriptor, b"note")
    assert locks.look(path) == (os.getpid(), b"")
    assert says(python(HOLD, path)) == "refused"
    lock.release()


FORK = """
from cronq.host import locks
lock = locks.take(sys.argv[1])
if os.fork() == 0:
    say(f"child {os.getpid()}")
    time.sleep(600)
    os._exit(0)
sys.stdin.readline()
"""


def test_a_forked_child_does_not_keep_the_lock_of_its_dead_parent(path, python):
    parent = python(FORK, path)
    child = int(says(parent).split()[1])
    try:
        assert locks.holder_pid(path) == parent.pid
        parent.kill()
        wait_until(lambda: locks.holder_pid(path) is None)
    finally:
        os.kill(child, 9)


def test_a_forked_child_knows_that_it_holds_nothing(path, python):
    code = """
    from cronq.host import locks
    lock = locks.take(sys.argv[1])
    if os.fork() == 0:
        say(f"{locks.holder_pid(sys.argv[1]) == os.getppid()} {locks.take(sys.argv[1])}")
        os._exit(0)
    os.wait()
    say(str(locks.holder_pid(sys.argv[1]) == os.getpid()))
    """
    process = python(code, path)
    assert [says(process), says(process)] == ["True None", "True"]


def test_a_lock_is_tried_for_as_long_as_asked(path, python):
    holder = python(HOLD, path)
    says(holder)
    killing = threading.Timer(0.1, holder.kill)
    killing.start()
    lock = locks.take(path, within_s=120)
    killing.join()
    assert lock is not None
    lock.release()


def test_waiting_ends_when_the_holder_dies(path, python):
    holder = python(HOLD, path)
    says(holder)
    killing = threading.Timer(0.1, holder.kill)
    killing.start()
    lock = locks.wait(path)
    killing.join()
    assert locks.holder_pid(path) == os.getpid()
    lock.release()


def test_what_the_holder_wrote_can_be_read(path, python):
    writer = python(HOLD.replace("say(", "os.write(lock.descriptor, b'note'); say("), path)
    says(writer)
    assert locks.look(path)[1] == b"note"


def test_there_is_nothing_to_read_in_a_missing_file(path):
    assert locks.look(path) == (None, b"")


def test_a_signal_lets_go_of_a_lock_in_the_middle_of_what_the_process_does_with_locks(path, python):
    """Who is told to leave while it starts lets go of its slot in the signal's handler, wherever it was."""
    code = """
    import signal
    from cronq.host import locks
    lock = locks.take(sys.argv[1])
    def leave(number, frame):
        lock.release()
        say("left")
        os._exit(0)
    signal.signal(signal.SIGTERM, leave)
    with locks._held_guard:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(600)
    """
    assert says(python(code, path)) == "left"
    assert says(python(HOLD, path)) == "held"


def test_a_held_file_is_in_place(path):
    lock = there(locks.take(path))
    assert lock.is_in_place()
    lock.release()


def test_a_removed_file_is_noticed(path):
    lock = there(locks.take(path))
    os.unlink(path)
    assert not lock.is_in_place()
    lock.release()


def test_a_replaced_file_is_noticed(path):
    lock = there(locks.take(path))
    os.rename(path, path + ".old")
    os.close(os.open(path, os.O_CREAT))
    assert not lock.is_in_place()
    lock.release()


def test_a_lock_file_is_never_a_symbolic_link(path, tmp_path):
    os.symlink(tmp_path / "elsewhere", path)
    with pytest.raises(OSError, match="symbolic"):
        locks.take(path)


def test_a_lock_file_is_private_whatever_the_umask(path):
    os.umask(0)
    there(locks.take(path)).release()
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_a_lock_does_not_reach_a_program_that_is_started(path, python):
    code = """
    import subprocess
    from cronq.host import locks
    lock = locks.take(sys.argv[1])
    seen = subprocess.run(["ls", "-l", "/proc/self/fd"], close_fds=False, capture_output=True, text=True).stdout
    say(str(sys.argv[1] in seen))
    """
    assert says(python(code, path)) == "False"


def test_nothing_is_left_open(path):
    before = open_descriptors()
    there(locks.take(path)).release()
    locks.holder_pid(path)
    locks.look(path)
    assert open_descriptors() == before


def test_the_lock_is_free_for_exactly_one_of_many(path, python):
    waiting = [python("sys.stdin.readline()" + HOLD, path) for _ in range(4)]
    assert sorted(answer(process) for process in waiting) == ["held", "refused", "refused", "refused"]


LOOK = """
from cronq.host import locks
say(locks.holder_pid(sys.argv[1]))
"""


def test_a_lock_that_a_task_lost_by_reading_the_file_is_taken_again(path, python):
    lock = there(locks.take(path))
    with open(path, "rb"):
        pass  # as a backup of the whole project does
    assert says(python(LOOK, path)) == "None"
    assert lock.hold_on()
    assert says(python(LOOK, path)) == str(os.getpid())
    lock.release()


def test_a_lock_that_somebody_else_took_meanwhile_is_known_to_be_lost(path, python):
    lock = there(locks.take(path))
    with open(path, "rb"):
        pass
    assert says(python(HOLD, path)) == "held"
    assert not lock.hold_on()
    lock.release()


def test_one_s_own_lock_is_known_by_another_name_too(tmp_path, python):
    """Through a symbolic link on the way: /home/ada and /home2/ada are one directory on many hosts."""
    (tmp_path / "home2").mkdir()
    (tmp_path / "home").symlink_to("home2")
    path, other = str(tmp_path / "home2" / "one.pid"), str(tmp_path / "home" / "one.pid")
    lock = there(locks.take(path))
    assert locks.look(other) == (os.getpid(), b"")
    assert locks.take(other) is None
    assert says(python(HOLD, path)) == "refused"
    lock.release()
    assert locks.holder_pid(other) is None

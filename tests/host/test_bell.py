from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest

from cronq.errors import StateDirError
from cronq.host.bell import Bells, ring
from tests.processes import answer, open_descriptors, says
from tests.waiting import wait_until


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "high")


@pytest.fixture
def bells(path):
    made = Bells([path])
    yield made
    made.close()


def test_a_ring_ends_a_wait(bells, path):
    ring(path)
    assert bells.wait(5) is True


def test_a_wait_without_a_ring_ends_by_itself(bells):
    assert bells.wait(0.001) is False


def test_a_wait_in_the_past_does_not_block(bells):
    assert bells.wait(-1) is False


def test_a_ring_wakes_once(bells, path):
    ring(path)
    bells.wait(5)
    assert bells.wait(0.001) is False


def test_draining_forgets_all_rings(bells, path):
    for _ in range(10_000):
        ring(path)
    bells.drain()
    assert bells.wait(0.001) is False


def test_any_of_several_queues_wakes(tmp_path):
    paths = [str(tmp_path / name) for name in ("high", "low")]
    bells = Bells(paths)
    ring(paths[1])
    assert bells.wait(5) is True
    bells.close()


def test_ringing_for_others_rings_every_queue(tmp_path):
    paths = [str(tmp_path / name) for name in ("high", "low")]
    ours = Bells(paths)
    others = [Bells([path]) for path in paths]
    ours.ring()
    assert [other.wait(5) for other in others] == [True, True]
    for one in (ours, *others):
        one.close()


WAIT = """
from cronq.host.bell import Bells
bells = Bells([sys.argv[1]])
say("waits")
while True:
    if bells.wait(600):
        open(f"{sys.argv[2]}/{os.getpid()}", "a").write("!")
"""


def test_one_of_four_waiting_processes_wakes_per_ring(path, tmp_path, python):
    woken = tmp_path / "woken"
    woken.mkdir()
    waiting = [python(WAIT, path, str(woken)) for _ in range(4)]
    assert [says(process) for process in waiting] == ["waits"] * 4
    wait_until(lambda: all(_sleeps(process.pid) for process in waiting))
    for count in range(1, 5):
        ring(path)
        wait_until(lambda: _size(woken) >= count)  # noqa: B023
        wait_until(lambda: all(_sleeps(process.pid) for process in waiting))
        assert _size(woken) == count


def _size(folder) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def _sleeps(pid: int) -> bool:
    with open(f"/proc/{pid}/wchan") as file:
        where = file.read()
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "S" and where in {"do_epoll_wait", "ep_poll", "0", ""}


def test_a_ring_where_no_fifo_can_be_does_nothing(path):
    ring(f"{path}/missing/high")
    assert not os.path.lexists(path)


def test_a_ring_before_anybody_waits_waits_for_who_comes(path):
    ring(path)
    bells = Bells([path])
    assert bells.wait(0) is True
    assert bells.wait(0) is False
    bells.close()


def test_a_signal_ends_a_wait_without_a_ring(path):
    reader, writer = os.pipe2(os.O_NONBLOCK)
    bells = Bells([path], reader)
    os.write(writer, b"!")
    assert bells.wait(5) is False
    assert bells.wait(0) is False
    ring(path)
    assert bells.wait(0) is True
    bells.close()
    os.close(reader)
    os.close(writer)


def test_who_rings_many_queues_keeps_few_descriptors(tmp_path):
    before = open_descriptors()
    for number in range(100):
        ring(str(tmp_path / str(number)))
    assert open_descriptors() <= before + 8


def test_a_fifo_that_was_made_again_is_rung_a_second_later(path, monkeypatch):
    ring(path)
    os.unlink(path)
    bells = Bells([path])
    later = time.monotonic() + 1
    monkeypatch.setattr("cronq.host.bell.time.monotonic", lambda: later)
    ring(path)
    assert bells.wait(5) is True
    bells.close()


CHILD = """
from cronq.host.bell import ring
ring(sys.argv[1])
say("rang")
sys.stdin.readline()
if os.fork() == 0:
    os.closerange(3, 64)
    mine = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)
    ring(sys.argv[1])
    say(f"{mine} {os.fstat(mine).st_size}")
"""


def test_a_child_that_has_closed_what_it_inherited_writes_to_nothing_else(bells, path, tmp_path, python):
    process = python(CHILD, path, str(tmp_path / "file"))
    assert says(process) == "rang"
    assert bells.wait(5) is True
    assert answer(process) == "3 0"
    assert bells.wait(5) is True


GENERATIONS = """
from cronq.host.bell import ring
counts = [len(os.listdir("/proc/self/fd"))]
for generation in range(3):
    for name in ("high", "low"):
        ring(os.path.join(sys.argv[1], name))
    counts.append(len(os.listdir("/proc/self/fd")))
    if os.fork():
        os.wait()
        os._exit(0)
say(" ".join(str(count - counts[0]) for count in counts))
"""


def test_descriptors_are_not_handed_down_from_child_to_child(tmp_path, python):
    assert says(python(GENERATIONS, str(tmp_path))) == "0 2 2 2"


def test_a_full_fifo_takes_no_more_and_blocks_nobody(bells, path):
    filler = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    for size in (4096, 1):
        with suppress(BlockingIOError):
            while True:
                os.write(filler, b"!" * size)
    os.close(filler)
    ring(path)
    assert bells.wait(0) is True


def test_a_regular_file_in_the_fifo_s_place_is_not_written_to(path, tmp_path):
    (tmp_path / "high").write_text("mine")
    ring(path)
    assert (tmp_path / "high").read_text() == "mine"


def test_a_symbolic_link_in_the_fifo_s_place_is_not_followed(path, tmp_path):
    (tmp_path / "target").write_text("mine")
    os.symlink(tmp_path / "target", path)
    ring(path)
    assert (tmp_path / "target").read_text() == "mine"


def test_a_regular_file_is_refused_with_what_to_do(path, tmp_path):
    (tmp_path / "high").touch()
    with pytest.raises(StateDirError, match=f"{path}: is not a FIFO: remove it"):
        Bells([path])


def test_a_symbolic_link_is_refused_with_what_to_do(path, tmp_path):
    os.mkfifo(tmp_path / "target")
    os.symlink(tmp_path / "target", path)
    with pytest.raises(StateDirError, match=f"{path}: is a symbolic link .* remove it"):
        Bells([path])


def test_a_refused_place_leaves_nothing_open(path, tmp_path):
    (tmp_path / "high").touch()
    before = open_descriptors()
    with pytest.raises(StateDirError):
        Bells([str(tmp_path / "low"), path])
    assert open_descriptors() == before


def test_a_fifo_is_private_whatever_the_umask(path):
    os.umask(0)
    Bells([path]).close()
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_closing_leaves_nothing_open(path):
    before = open_descriptors()
    Bells([path]).close()
    assert open_descriptors() == before

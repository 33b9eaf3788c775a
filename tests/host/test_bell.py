from __future__ import annotations

import os

import pytest

from cronq.errors import StateDirError
from cronq.host.bell import Bells, ring
from tests.processes import says
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
    if bells.wait(30):
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


def test_a_ring_without_a_fifo_does_nothing(path):
    ring(path)
    assert not os.path.lexists(path)


def test_a_ring_without_a_listener_does_nothing(path):
    os.mkfifo(path)
    ring(path)


def test_a_full_fifo_takes_no_more_and_blocks_nobody(bells, path):
    filler = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    for _ in range(16):  # of 4096 bytes: what a pipe holds (pipe(7))
        os.write(filler, b"!" * 4096)
    with pytest.raises(BlockingIOError):
        os.write(filler, b"!")
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
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StateDirError):
        Bells([str(tmp_path / "low"), path])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_fifo_is_private_whatever_the_umask(path):
    os.umask(0)
    Bells([path]).close()
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_closing_leaves_nothing_open(path):
    before = len(os.listdir("/proc/self/fd"))
    Bells([path]).close()
    assert len(os.listdir("/proc/self/fd")) == before

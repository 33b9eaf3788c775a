"""The spool's file: what was kept is there, in its order, whatever tears, and its room stays reserved."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cronq.host.spool import BEGIN, Mark, Part, Spool
from tests.full_disk import no_room
from tests.presence import there

SIZE = 4096
OVERHEAD = 8


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(str(tmp_path / "spool"), SIZE)
    spool.reserve()
    return spool


def again(spool: Spool) -> Spool:
    """Return the spool as another process sees it."""
    return Spool(spool.path, SIZE)


def read(spool: Spool, begin: int = BEGIN, at_most: int = SIZE) -> Part:
    return there(spool.read(Mark(there(spool.name())[1], begin), at_most))


def tear(spool: Spool, at: int, data: bytes) -> None:
    with open(spool.path, "r+b") as file:
        file.seek(at)
        file.write(data)


def test_records_come_back_in_their_order_and_in_parts(spool: Spool) -> None:
    for payload in (b"one", b"two", b"three"):
        again(spool).append(payload)
    first = read(spool, at_most=6)
    assert first.records == (b"one", b"two")
    rest = there(spool.read(first.end, SIZE))
    assert (rest.begin, rest.records) == (first.end, (b"three",))
    assert there(spool.read(rest.end, SIZE)).records == ()


def test_a_record_larger_than_what_is_asked_for_comes_alone(spool: Spool) -> None:
    spool.append(b"x" * 100)
    spool.append(b"y")
    assert read(spool, at_most=10).records == (b"x" * 100,)


def test_room_is_reserved_before_and_kept_after_it_was_emptied(spool: Spool) -> None:
    blocks = os.stat(spool.path).st_blocks
    assert blocks * 512 >= SIZE
    spool.append(b"one")
    assert spool.clear(read(spool).end)
    with no_room(SIZE):
        spool.append(b"two")
    assert (os.stat(spool.path).st_blocks, os.stat(spool.path).st_size) == (blocks, SIZE)
    assert read(spool).records == (b"two",)
    assert os.stat(spool.path).st_mode & 0o777 == 0o600


def test_without_room_nothing_is_reserved_and_the_next_try_begins_anew(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"), SIZE)
    with no_room(SIZE - 1), pytest.raises(OSError, match="File too large") as caught:
        spool.reserve()
    assert caught.value.errno == errno.EFBIG
    assert not spool.is_reserved()
    with pytest.raises(OSError, match="no room was reserved"):
        spool.append(b"one")
    spool.reserve()
    spool.append(b"one")
    assert read(spool).records == (b"one",)


def test_more_room_leaves_what_lies_in_it(spool: Spool) -> None:
    spool.append(b"one")
    larger = Spool(spool.path, 2 * SIZE)
    assert not larger.is_reserved()
    larger.reserve()
    assert larger.is_reserved()
    assert read(larger).records == (b"one",)


def test_a_full_one_refuses_and_keeps_what_it_has(spool: Spool) -> None:
    spool.append(b"x" * 2000)
    with pytest.raises(OSError, match="the spool is full") as caught:
        spool.append(b"y" * 2000)
    assert caught.value.errno == errno.ENOSPC
    spool.append(b"z" * (SIZE - BEGIN - 2000 - 2 * OVERHEAD))
    assert len(read(spool).records) == 2


@pytest.mark.parametrize("kept", range(12))
def test_a_torn_last_record_is_dropped_and_written_over(spool: Spool, kept: int) -> None:
    spool.append(b"whole")
    end = read(spool).end.position
    spool.append(b"torn")
    with open(spool.path, "rb") as file:
        file.seek(end)
        whole = file.read(12)
    tear(spool, end, whole[:kept] + bytes(12 - kept))
    assert read(again(spool)).records == (b"whole",)
    again(spool).append(b"next")
    assert read(spool).records == (b"whole", b"next")


def test_what_was_cleared_is_gone_though_its_bytes_are_there(spool: Spool) -> None:
    for payload in (b"one", b"two"):
        spool.append(payload)
    assert spool.clear(read(spool).end)
    spool.append(b"1")  # shorter: the second record's old bytes lie right behind
    assert read(spool).records == (b"1",)
    with open(spool.path, "rb") as file:
        assert b"two" in file.read()


def test_nothing_is_cleared_when_a_record_has_come_meanwhile(spool: Spool) -> None:
    spool.append(b"one")
    part = read(spool)
    spool.append(b"two")
    assert not spool.clear(part.end)
    assert read(spool).records == (b"one", b"two")


def test_a_mark_of_a_generation_that_is_over_reads_and_clears_nothing(spool: Spool) -> None:
    spool.append(b"one")
    part = read(spool)
    assert again(spool).clear(part.end)
    spool.append(b"two")
    assert spool.read(part.begin, SIZE) is None
    assert not spool.clear(part.end)


def test_a_file_that_was_removed_and_made_again_is_another_one(spool: Spool) -> None:
    spool.append(b"one")
    name = spool.name()
    os.unlink(spool.path)
    assert (spool.name(), spool.contents().size) == (None, 0)
    spool.reserve()
    assert spool.name() != name
    spool.append(b"two")  # at the beginning, whatever this object saw of the file before
    assert read(again(spool)).records == (b"two",)


def test_a_foreign_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(b"somebody's letters" * 100)
    with pytest.raises(OSError, match="move it away"):
        Spool(str(tmp_path / "spool"), SIZE).reserve()
    assert (tmp_path / "spool").read_bytes() == b"somebody's letters" * 100


def test_a_look_tells_whether_something_is_in_it(spool: Spool) -> None:
    assert not spool.look()
    spool.append(b"one")
    assert spool.look()
    spool.clear(read(spool).end)
    assert not spool.look()


HOLD = """
import sys
from cronq.host import locks
lock = locks.take(sys.argv[1])
print("held", flush=True)
input()
"""


def test_who_finds_others_at_it_for_too_long_is_told(spool: Spool) -> None:
    hold = (
        "import sys; from cronq.host import locks; lock = locks.take(sys.argv[1]); print('held', flush=True); input()"
    )
    command = [sys.executable, "-c", hold, spool.path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert there(other.stdout).readline() == b"held\n"
        with pytest.raises(BlockingIOError, match="others hold it"):
            Spool(spool.path, SIZE, patience_s=0.05).append(b"one")
        other.communicate(b"\n")
    spool.append(b"one")


APPEND = """
import sys
from cronq.host.spool import Spool
for number in range(40):
    Spool(sys.argv[1], 65536).append(f"{sys.argv[2]} {number}".encode())
"""


def test_many_processes_lose_nothing_and_each_keeps_its_order(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"), 65536)
    spool.reserve()
    writers = [subprocess.Popen([sys.executable, "-c", APPEND, spool.path, name]) for name in "abc"]
    assert [one.wait(60) for one in writers] == [0, 0, 0]
    found = [payload.decode() for payload in read(spool, at_most=65536).records]
    assert len(found) == 120
    for name in "abc":
        assert [one for one in found if one.startswith(name)] == [f"{name} {number}" for number in range(40)]


def test_an_append_looks_at_no_record_that_was_seen_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool, reads = Spool(str(tmp_path / "spool"), 65536), []
    spool.reserve()
    pread = os.pread

    def counted(*args: int) -> bytes:
        reads.append(args)
        return pread(*args)

    monkeypatch.setattr(os, "pread", counted)
    costs = []
    for _ in range(200):
        spool.append(b"one")
        costs.append(len(reads))
        reads.clear()
    assert max(costs) <= min(costs) + 2


class Machine(RuleBasedStateMachine):
    """Several processes' views of one file, against a list."""

    @initialize()
    def make(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        path = str(Path(self.directory.name) / "spool")
        self.spools = [Spool(path, SIZE) for _ in range(3)]
        self.spools[0].reserve()
        self.kept: list[bytes] = []
        self.part: Part | None = None

    def teardown(self) -> None:
        self.directory.cleanup()

    def used(self) -> int:
        return BEGIN + sum(OVERHEAD + len(one) for one in self.kept)

    @rule(who=st.integers(0, 2), payload=st.binary(min_size=1, max_size=900))
    def append(self, who: int, payload: bytes) -> None:
        if self.used() + OVERHEAD + len(payload) > SIZE:
            with pytest.raises(OSError, match="full"):
                self.spools[who].append(payload)
        else:
            self.spools[who].append(payload)
            self.kept.append(payload)

    @rule(garbage=st.binary(min_size=1, max_size=60))
    def die_while_writing(self, garbage: bytes) -> None:
        tear(self.spools[0], self.used(), garbage[: SIZE - self.used()])

    @rule(who=st.integers(0, 2))
    def start_anew(self, who: int) -> None:
        self.spools[who] = again(self.spools[who])

    @rule(who=st.integers(0, 2), at_most=st.integers(1, 2000))
    def read_on(self, who: int, at_most: int) -> None:
        generation = there(self.spools[who].name())[1]
        begin = Mark(generation, BEGIN)
        if self.part is not None and self.part.end.generation == generation:
            begin = self.part.end
        self.part = there(self.spools[who].read(begin, at_most))

    @precondition(lambda self: self.part is not None)
    @rule(who=st.integers(0, 2))
    def clear(self, who: int) -> None:
        part = there(self.part)
        is_current = there(self.spools[who].name())[1] == part.end.generation
        is_all = part.end.position == self.used()
        assert self.spools[who].clear(part.end) == (is_current and is_all)
        if is_current and is_all:
            self.kept = []

    @invariant()
    def everything_kept_is_read(self) -> None:
        if hasattr(self, "spools"):
            assert list(read(self.spools[0]).records) == self.kept
            assert self.spools[1].contents()[:2] == (len(self.kept), self.used() - BEGIN)
            assert os.stat(self.spools[0].path).st_size == SIZE
            assert self.spools[2].look() or not self.kept


TestMachine = Machine.TestCase

"""Copies: made under load, of everything, by nobody's leave; and put back to the message."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cronq.errors import TransportError
from cronq.messages.attempts import Cause
from cronq.messages.message import Ack, Fail, Message, Release, State
from cronq.schedules.stored import StoredSchedule
from cronq.transports.exchange import Want
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.version import APPLICATION_ID, VERSION
from tests.making import message
from tests.presence import there
from tests.processes import says
from tests.reliability.strace import what_is_missing
from tests.waiting import wait_until

if TYPE_CHECKING:
    from cronq.messages.message import Outcome

ME = "web1/high.0/100/5/boot0001"


@pytest.fixture
def live(tmp_path):
    return str(tmp_path / "queue.db")


@pytest.fixture
def target(tmp_path):
    return str(tmp_path / "copy.db")


@pytest.fixture
def transport(live):
    made = SqliteTransport(live, busy_timeout_s=0.05)
    yield made
    made.close()


def reserve(transport: SqliteTransport, limit: int = 1) -> list[Message]:
    return transport.exchange(ME, [], Want(["high"], 1e12, limit, 1)).messages


def rows(path: str) -> list[tuple[Any, ...]]:
    """Everything in a file, in order, but for the names of migrations."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        tables = ("messages", "paused", "schedules")
        return [(table, *row) for table in tables for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608


def fill(transport: SqliteTransport) -> None:
    """Messages in every state that outlives its consumer, a paused queue and a schedule."""
    transport.enqueue([message(body=b"1"), message(body=b"2"), message(available_at=2e9), message(queue="low")])
    kept, failed = reserve(transport, 2)
    outcomes: list[Outcome] = [Ack(kept, b"5", 3600), Fail(failed, "boom", Cause("ValueError", "boom"))]
    transport.exchange(ME, outcomes, None)
    transport.pause("low", True)
    transport.declare("code", [StoredSchedule("code", "nightly", "declared", "timing", b"{}", 5.0)])


def refusal(call, *args) -> str:
    with pytest.raises(TransportError) as caught:
        call(*args)
    return str(caught.value)


# what a copy is


def test_a_copy_holds_everything(transport, live, target):
    fill(transport)
    copy = transport.backup(target)
    assert (copy.path, copy.size, copy.waiting, copy.failed) == (target, os.path.getsize(target), 2, 1)
    assert rows(target) == rows(live)


def test_a_copy_is_one_private_file_that_says_whose_it_is(transport, target, tmp_path):
    os.umask(0)
    transport.enqueue([message()])
    before = {path.name for path in tmp_path.iterdir()}
    transport.backup(target)
    assert {path.name for path in tmp_path.iterdir()} - before == {"copy.db"}
    assert os.stat(target).st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(target)) as connection:
        marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        assert (marks, connection.execute("PRAGMA journal_mode").fetchone()) == (
            [APPLICATION_ID, VERSION],
            ("delete",),
        )


def test_what_was_reserved_is_ready_in_the_copy_with_its_attempt_taken_back(transport, target):
    sent = message(max_attempts=1)
    transport.enqueue([sent])
    assert reserve(transport)[0].attempt == 1
    transport.backup(target)
    assert there(transport.find(sent.id)).state is State.RESERVED
    copy = SqliteTransport(target)
    copied = there(copy.find(sent.id))
    assert (copy.held(), copied.state, copied.message.attempt) == ([], State.READY, 0)
    copy.close()


def test_an_older_copy_is_replaced_by_a_newer_one(transport, target):
    transport.backup(target)
    transport.enqueue([message()])
    assert transport.backup(target).waiting == 1
    assert transport.backup(target).waiting == 1


def test_the_live_connection_goes_on_after_a_copy_with_its_journal_and_locks(transport, target):
    transport.enqueue([message()])
    transport.backup(target)
    transport.enqueue([message()])
    assert transport._connections.get().execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert transport.depth(["high"], 9) == 2


def test_a_copy_on_a_network_file_system_needs_no_write_ahead_log(transport, target, monkeypatch):
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: "nfs")
    transport.enqueue([message()])
    assert transport.backup(target).waiting == 1


# under load


PRODUCER = """
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
from cronq.messages.ids import new_id
transport = SqliteTransport(sys.argv[1], "normal", busy_timeout_s=300)
returned = open(sys.argv[2], "a", buffering=1)
while True:
    made = Message(new_id(), "high", "t", b"{}")
    transport.enqueue([made])
    returned.write(made.id + "\\n")
"""

CONSUMER = """
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Ack
from cronq.transports.exchange import Want
transport = SqliteTransport(sys.argv[1], "normal", busy_timeout_s=300)
ending, ended = (open(path, "a", buffering=1) for path in sys.argv[2:])
position = 1
while True:
    for one in transport.exchange(f"h/high.0/{os.getpid()}/1/b/0", [], Want(["high"], 1e12, 1, position)).messages:
        position += 1
        ending.write(one.id + "\\n")
        assert transport.exchange(f"h/high.0/{os.getpid()}/1/b/0", [Ack(one)], None).lost == []
        ended.write(one.id + "\\n")
"""


def test_every_message_that_waits_from_before_the_copy_until_after_it_is_in_it(live, tmp_path, python):
    names = [str(tmp_path / name) for name in ("returned", "ending", "ended")]
    SqliteTransport(live).counts()
    for _ in range(2):
        python(PRODUCER, live, names[0])
    python(CONSUMER, live, *names[1:])

    def lines(name: str) -> set[str]:
        """Return the whole lines: one may be half written."""
        path = tmp_path / name
        return set(path.read_text().rpartition("\n")[0].split()) if path.exists() else set()

    transport = SqliteTransport(live, busy_timeout_s=300)

    def have_come(many: int) -> bool:
        return len(lines("returned")) > many and len(lines("ended")) > 5

    for number in range(8):
        wait_until(partial(have_come, 200 * (number + 1)))
        returned, ended = lines("returned"), lines("ended")
        target = str(tmp_path / f"copy{number}.db")
        transport.backup(target)
        may_be_gone = lines("ending")
        found = {bytes(row[1]).hex() for row in rows(target)}
        assert returned - may_be_gone - found == set(), "enqueued before the copy began, and lost"
        assert found & ended == set(), "finished before the copy began, and in it"
    transport.close()


# refusals


def test_a_copy_never_overwrites_the_live_database(transport, live, tmp_path):
    fill(transport)
    os.symlink(live, tmp_path / "link.db")
    os.link(live, tmp_path / "hard.db")
    before = rows(live)
    for path in (live, f"{live}-wal", str(tmp_path / "link.db"), str(tmp_path / "hard.db"), f"{tmp_path}/./queue.db"):
        assert "is the live database itself: give the copy another name" in refusal(transport.backup, path)
    assert rows(live) == before


@pytest.mark.parametrize("content", [b"", b"my thesis", b"SQLite format 3\0" + b"\0" * 200])
def test_a_copy_never_overwrites_somebody_s_file(transport, target, content):
    Path(target).write_bytes(content)
    assert "is there already and no copy of cronq's: remove it" in refusal(transport.backup, target)
    assert Path(target).read_bytes() == content


def test_a_copy_never_overwrites_another_project_s_live_database(transport, target):
    other = SqliteTransport(target)
    other.enqueue([message()])
    assert "is a database that is in use" in refusal(transport.backup, target)
    assert other.depth(["high"], 5) == 1
    other.close()


def test_a_copy_is_not_made_where_it_cannot_be(transport, tmp_path):
    (tmp_path / "public_html").mkdir()
    os.symlink("/nowhere", tmp_path / "link")
    cases = {
        "gone/copy.db": "No such file or directory: make the directory first",
        "public_html/copy.db": "lies below public_html/, which web servers hand out",
        "public_html": "lies below public_html/",
        "link": "is no regular file",
        ".": "is a directory: give a file in it",
    }
    for name, said in cases.items():
        assert said in refusal(transport.backup, str(tmp_path / name))


def test_a_damaged_database_never_replaces_a_sound_copy(transport, live, target):
    transport.enqueue([message(body=b"x" * 500) for _ in range(500)])
    transport.backup(target)
    sound = Path(target).read_bytes()
    transport.close()
    with open(live, "r+b") as file:
        file.seek(os.path.getsize(live) // 2)
        file.write(b"\xa5" * 8192)
    assert target in refusal(transport.backup, target)
    assert Path(target).read_bytes() == sound
    assert not list(Path(target).parent.glob("*.new*"))


FULL = """
import resource, signal
from cronq.errors import TransportError
from cronq.transports.sqlite import SqliteTransport
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
transport = SqliteTransport(sys.argv[1])
transport.counts()
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    transport.backup(sys.argv[2])
except TransportError as error:
    say(str(error))
"""


def test_a_disk_without_room_leaves_the_older_copy_and_nothing_half_written(transport, live, target, python):
    transport.backup(target)
    before = rows(target)
    transport.enqueue([message(body=b"x" * 500) for _ in range(500)])
    assert target in says(python(FULL, live, target))
    assert rows(target) == before
    assert not list(Path(target).parent.glob("*.new*"))


# kills


COPY = """
import sys
from cronq.transports.sqlite import SqliteTransport
SqliteTransport(sys.argv[1]).backup(sys.argv[2])
"""

RESTORE = COPY.replace("backup", "restore")
CALLS = ("pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate")


def killed_at_every_call(code: str, *args: str):
    """Run `code` again and again, killed at each of its calls that leave a trace; yield after every kill."""
    missing = what_is_missing()
    if missing:
        pytest.skip(missing)
    for call in CALLS:
        for number in (1, 2, 3, 5, 9, 14, 20, 30):
            inject = f"inject={call}:signal=KILL:when={number}"
            command = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, sys.executable, "-c"]
            done = subprocess.run([*command, code, *args], check=False, capture_output=True, text=True, timeout=600)
            assert done.returncode in {0, -signal.SIGKILL}, done.stderr
            yield done.returncode != 0
            if done.returncode == 0:
                break


@pytest.mark.slow
def test_a_kill_while_copying_leaves_the_older_copy_or_the_newer_one(transport, live, target):
    transport.enqueue([message(body=b"x" * 500) for _ in range(40)])
    transport.backup(target)
    older = rows(target)
    transport.enqueue([message()])
    reserve(transport)
    kills = 0
    for was_killed in killed_at_every_call(COPY, live, target):
        kills += was_killed
        assert len(rows(target)) in {len(older), len(older) + 1}
    assert kills > 15
    transport.backup(target)
    assert sorted(path.name for path in Path(target).parent.glob("copy*")) == ["copy.db"]


@pytest.mark.slow
def test_a_kill_while_restoring_leaves_everything_as_it_was_or_restored(transport, live, target):
    transport.enqueue([message(body=b"x" * 500) for _ in range(40)])
    transport.backup(target)
    old = rows(live)
    transport.enqueue([message() for _ in range(40)])
    transport.close()
    new, kills = rows(live), 0
    for was_killed in killed_at_every_call(RESTORE, live, target):
        kills += was_killed
        assert rows(live) in (old, new)
    assert kills > 15
    assert rows(live) == old


# putting a copy back


def test_a_restored_copy_is_what_was_copied(transport, live, target):
    fill(transport)
    before = rows(live)
    transport.backup(target)
    transport.flush("high")
    transport.enqueue([message() for _ in range(2000)])
    transport.pause("low", False)
    transport.declare("code", [])
    copy = transport.restore(target)
    assert (copy.path, copy.waiting, copy.failed) == (target, 2, 1)
    assert rows(live) == before


def test_what_was_restored_is_on_the_disk(transport, live, target, monkeypatch):
    synced = []
    transport.backup(target)
    monkeypatch.setattr(os, "fdatasync", lambda log: synced.append(os.readlink(f"/proc/self/fd/{log}")))
    transport.restore(target)
    assert synced[-1] == f"{live}-wal"


@pytest.mark.parametrize("page_size", [1024, 4096, 32768])
def test_a_copy_with_pages_of_another_size_is_restored(transport, live, target, page_size):
    """A file keeps the page size that the release gave it which made it."""
    fill(transport)
    before = rows(live)
    transport.backup(target)
    with closing(sqlite3.connect(target, isolation_level=None)) as copy:
        copy.execute(f"PRAGMA page_size = {page_size}")
        copy.execute("VACUUM")
    transport.flush("high")
    transport.restore(target)
    assert rows(live) == before


def test_processes_that_have_the_file_open_go_on_with_what_was_restored(transport, live, target, python):
    code = """
    from cronq.transports.sqlite import SqliteTransport
    from cronq.messages.message import Message
    from cronq.messages.ids import new_id
    transport = SqliteTransport(sys.argv[1])
    transport.enqueue([Message(new_id(), "high", "t", b"{}")])
    say("open")
    sys.stdin.readline()
    transport.enqueue([Message(new_id(), "high", "t", b"{}")])
    say(str(transport.depth(["high"], 99)))
    """
    transport.backup(target)
    other = python(code, live)
    assert says(other) == "open"
    transport.restore(target)
    other.stdin.write("\n")
    other.stdin.flush()
    assert says(other) == "1"
    assert transport.depth(["high"], 9) == 1
    assert len(rows(live)) == 1


def test_an_ending_of_before_the_restore_comes_too_late(transport, target):
    """The reservation is gone with everything else: a message that comes back is run again, and none is lost."""
    transport.enqueue([message()])
    (held,) = reserve(transport)
    transport.backup(target)
    transport.restore(target)
    assert transport.exchange(ME, [Release(held)], None).lost == [held.id]
    assert transport.depth(["high"], 5) == 1


def test_a_raw_copy_with_reservations_is_restored_without_them(transport, target):
    transport.enqueue([message()])
    reserve(transport)
    with closing(sqlite3.connect(target)) as raw:
        transport._connections.get().backup(raw)
    os.chmod(target, 0o600)
    transport.restore(target)
    assert (transport.held(), transport.depth(["high"], 5)) == ([], 1)


def test_what_is_no_copy_is_not_restored(transport, live, target):
    fill(transport)
    before = rows(live)
    assert "give a copy that `cronq backup` made" in refusal(transport.restore, target)
    assert "is the live database itself" in refusal(transport.restore, live)
    Path(target).write_bytes(b"my thesis")
    assert f"{target}: is no database of cronq's" in refusal(transport.restore, target)
    assert rows(live) == before


def test_a_copy_of_a_newer_cronq_is_not_restored(transport, live, target):
    fill(transport)
    transport.backup(target)
    with closing(sqlite3.connect(target)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert f"{target}: was written by a newer cronq" in refusal(transport.restore, target)
    assert len(rows(live)) == 6


def test_a_damaged_copy_is_not_restored(transport, live, target):
    transport.enqueue([message(body=b"x" * 500) for _ in range(500)])
    transport.backup(target)
    with open(target, "r+b") as file:
        file.seek(os.path.getsize(target) // 2)
        file.write(b"\xa5" * 8192)
    before = rows(live)
    assert target in refusal(transport.restore, target)
    assert rows(live) == before

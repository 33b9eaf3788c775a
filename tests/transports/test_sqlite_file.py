"""The file itself: journal, durability, refusals, many processes, full disks, migrations."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from sqlite_utils import Database

from cronq import events
from cronq.errors import SyncError, TransportError
from cronq.messages.attempts import Cause
from cronq.messages.ids import new_id
from cronq.messages.message import Ack, Fail, Message, Release, State
from cronq.schedules.stored import StoredSchedule
from cronq.transports.exchange import Want
from cronq.transports.selection import Selection
from cronq.transports.sqlite import SqliteTransport, connections, counts, filesystem
from cronq.transports.sqlite.pages import select
from cronq.transports.sqlite.schema import migrations
from cronq.transports.sqlite.version import APPLICATION_ID, VERSION
from tests.clocks import FakeClock
from tests.making import message
from tests.processes import says
from tests.transports.sqlite.dying import DYING
from tests.waiting import wait_until

ME = "web1/high.0/100/5/boot0001"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "queue.db")


@pytest.fixture
def transport(path):
    made = SqliteTransport(path, busy_timeout_s=0.05)
    yield made
    made.close()


def want(limit=1, position=1) -> Want:
    return Want(["high"], 1e12, limit, position)


def connection_of(transport: SqliteTransport) -> sqlite3.Connection:
    return transport._connections.get()


def pragma(transport: SqliteTransport, name: str) -> object:
    return connection_of(transport).execute(f"PRAGMA {name}").fetchone()[0]


def refusal(path: str, **options) -> TransportError:
    transport = SqliteTransport(path, **options)
    with pytest.raises(TransportError) as caught:
        transport.counts()
    transport.close()
    return caught.value


def once(path: str, *messages: Message) -> None:
    """Make the file, with these messages in it, and leave it."""
    transport = SqliteTransport(path)
    transport.enqueue(messages)
    transport.close()


def made_by_sqlite(path: str, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


# journal and durability


@pytest.fixture
def synced(monkeypatch):
    """The files that were synced by us, in their order."""
    found = []

    def sync(descriptor):
        found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fdatasync(descriptor)

    fdatasync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", sync)
    return found


def test_what_was_enqueued_is_on_the_disk_when_the_call_returns(transport, path, synced):
    transport.enqueue([message()])
    assert synced == [f"{path}-wal"]
    transport.enqueue([message(), message()])
    assert synced == [f"{path}-wal"] * 2
    assert (pragma(transport, "journal_mode"), pragma(transport, "synchronous")) == ("wal", 1)


def test_a_reservation_alone_waits_for_no_disk_and_the_next_ending_does(transport, synced):
    transport.enqueue([message()])
    synced.clear()
    (got,) = transport.exchange(ME, [], want()).messages
    assert synced == []
    transport.exchange(ME, [Ack(got)], want(position=2))
    assert len(synced) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_others_see_messages_and_may_write_before_the_disk_has_them(transport, path, synced, count):
    def shown(absorbed):
        assert (synced, absorbed) == ([], {})
        other = SqliteTransport(path, busy_timeout_s=0)
        seen.extend(other.exchange(ME, [], want(limit=9)).messages)
        other.close()

    seen = []
    messages = [message() for _ in range(count)]
    transport.enqueue(messages, shown)
    assert [one.id for one in seen] == [one.id for one in messages]
    assert len(synced) == 1


def test_who_is_told_that_a_message_is_there_already_has_waited_for_that_one(transport, synced):
    """It was perhaps enqueued by somebody who still waits for the disk, and a power cut would take both."""
    first = message(unique_key="a")
    transport.enqueue([first])
    synced.clear()
    assert list(transport.enqueue([message(unique_key="a")]).values()) == [first.id]
    assert len(synced) == 1


def test_who_is_told_so_inside_a_transaction_of_his_own_has_waited_as_well(transport, path, synced):
    transport.enqueue([message(unique_key="a")])
    synced.clear()
    theirs = sqlite3.connect(path)
    theirs.execute("BEGIN")
    transport.enqueue_in(theirs, [message(unique_key="a")])
    assert len(synced) == 1
    theirs.close()


@pytest.fixture
def broken_disk(monkeypatch):
    def sync(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", sync)


@pytest.fixture
def reader(transport, path):
    """Somebody reads, so that the log cannot be emptied into the file."""
    transport.counts()
    reading = sqlite3.connect(path, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM messages").fetchone()
    yield
    reading.close()


def test_after_a_sync_that_failed_all_is_moved_into_the_file_and_that_synced(transport, path, broken_disk):
    transport.enqueue([message()])
    assert os.path.getsize(f"{path}-wal") == 0
    assert transport.depth(["high"], 9) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_who_enqueues_is_told_that_the_disk_did_not_confirm_it(transport, path, reader, broken_disk, count):
    with pytest.raises(SyncError, match=f"{path}-wal: Input/output error: what was just written is there, but a power"):
        transport.enqueue([message() for _ in range(count)])
    assert transport.depth(["high"], 9) == count


@pytest.mark.parametrize("count", [1, 2])
def test_who_closes_the_transport_while_he_enqueues_is_told_that_it_may_not_last(transport, path, reader, count):
    with pytest.raises(
        SyncError, match=f"{path}-wal: what was just written is there, but a power cut may take it: its"
    ):
        transport.enqueue([message() for _ in range(count)], lambda absorbed: transport.close())
    assert transport.depth(["high"], 9) == count


def test_an_exchange_that_the_disk_did_not_confirm_has_happened(transport, reader, broken_disk, monkeypatch):
    heard = []
    monkeypatch.setattr(events, "listeners", [lambda name, facts: heard.append((name, facts))])
    with suppress(SyncError):
        transport.enqueue([message(), message()])
    (first,) = transport.exchange(ME, [], want()).messages
    exchange = transport.exchange(ME, [Ack(first)], want(position=2))
    assert (len(exchange.messages), exchange.lost, transport.depth(["high"], 9)) == (1, [], 0)
    ((name, facts),) = heard
    assert (name, type(facts["error"])) == ("trouble", SyncError)


def test_who_cannot_sync_is_told_before_anything_has_happened(transport, path, monkeypatch):
    transport.counts()
    connection_of(transport).log = f"{path}-wal/none"
    for count in (1, 2):
        with pytest.raises(TransportError, match="Not a directory: cronq must be able to open it"):
            transport.enqueue([message() for _ in range(count)])
    assert transport.depth(["high"], 9) == 0


def test_a_signal_at_the_end_of_a_transaction_leaves_none_open(transport, path):
    """CPython runs the handler at the entry of `__exit__`: nothing in there has a chance to roll back."""

    def interrupt(frame, event, arg):
        if event == "call" and frame.f_code.co_name == "__exit__":
            raise KeyboardInterrupt

    transport.counts()
    sys.settrace(interrupt)
    try:
        transport.enqueue([message(), message()])
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
    assert not connection_of(transport).in_transaction
    other = SqliteTransport(path, busy_timeout_s=0)
    other.enqueue([message()])
    assert other.depth(["high"], 9) == 1
    other.close()


def test_the_log_is_closed_with_its_connection(transport, path):
    transport.enqueue([message()])
    assert f"{path}-wal" in open_files()
    transport.close()
    assert not [name for name in open_files() if name.startswith(path)]


def open_files() -> list[str]:
    links = Path("/proc/self/fd").iterdir()
    return [os.readlink(link) for link in links if link.is_symlink()]


def test_a_message_that_was_announced_is_reserved_without_a_look_first(transport):
    transport.enqueue([message(), message()])
    traced = Traced(transport)
    (looked_for,) = transport.exchange(ME, [], want()).messages
    assert traced.words()[0] == "SELECT"
    traced.statements.clear()
    (announced,) = transport.exchange(ME, [], want(position=2)._replace(is_expected=True)).messages
    assert traced.words()[0] == "BEGIN"
    assert looked_for.id != announced.id


def test_without_a_write_ahead_log_sqlite_syncs_every_commit_itself(path, monkeypatch, synced):
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: "nfs")
    transport = SqliteTransport(path)
    transport.enqueue([message()])
    assert len(transport.exchange(ME, [], want()).messages) == 1
    assert (pragma(transport, "journal_mode"), pragma(transport, "synchronous"), synced) == ("truncate", 2, [])
    transport.close()


def test_less_durability_is_the_user_s_choice(path, synced):
    transport = SqliteTransport(path, durability="normal")
    transport.enqueue([message()])
    assert (pragma(transport, "journal_mode"), pragma(transport, "synchronous"), synced) == ("wal", 1, [])
    transport.close()


def test_less_durability_is_the_user_s_choice_without_a_write_ahead_log_too(path, monkeypatch):
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: "nfs")
    transport = SqliteTransport(path, durability="normal")
    transport.enqueue([message()])
    assert (pragma(transport, "journal_mode"), pragma(transport, "synchronous")) == ("truncate", 1)
    transport.close()


def test_the_log_starts_over_sooner_where_every_commit_waits_for_the_disk(path, transport):
    normal = SqliteTransport(path, durability="normal")
    assert (pragma(transport, "wal_autocheckpoint"), pragma(normal, "wal_autocheckpoint")) == (500, 1000)
    normal.close()


def test_the_file_says_whose_it_is(transport):
    assert (pragma(transport, "application_id"), pragma(transport, "user_version")) == (APPLICATION_ID, VERSION)


NFS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /home rw,relatime - nfs4 server:/home rw
31 30 0:41 / /home/ada\\040b/local rw,relatime shared:7 master:1 - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/queue.db", "ext4"),
        ("/home/ada/queue.db", "nfs4"),
        ("/homes/queue.db", "ext4"),
        ("/home/ada b/local/queue.db", "xfs"),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(tmp_path, place, kind):
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(NFS)
    assert filesystem.type_of(place, str(mountinfo)) == kind


@pytest.mark.parametrize("content", [None, "", "nonsense\n"])
def test_what_cannot_be_told_counts_as_remote(tmp_path, content):
    mountinfo = tmp_path / "mountinfo"
    if content is not None:
        mountinfo.write_text(content)
    kind = filesystem.type_of("/srv/queue.db", str(mountinfo))
    assert (kind, filesystem.is_local(kind)) == ("unknown", False)


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "fuse.sshfs", "9p", "ceph", "glusterfs", "lustre", "unknown"])
def test_a_network_file_system_is_not_trusted_with_a_write_ahead_log(path, monkeypatch, kind):
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: kind)
    transport = SqliteTransport(path)
    assert (pragma(transport, "journal_mode"), pragma(transport, "synchronous")) == ("truncate", 2)
    transport.enqueue([message()])
    assert transport.depth(["high"], 5) == 1
    transport.close()
    assert not os.path.exists(path + "-wal")


def test_a_file_that_moved_to_a_network_file_system_leaves_wal(path, monkeypatch):
    once(path, message())
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: "nfs")
    transport = SqliteTransport(path)
    assert pragma(transport, "journal_mode") == "truncate"
    assert transport.depth(["high"], 5) == 1
    transport.close()


def test_wal_that_others_keep_open_on_a_network_file_system_is_refused(transport, path, monkeypatch):
    transport.enqueue([message()])
    monkeypatch.setattr("cronq.transports.sqlite.connections.type_of", lambda path: "nfs")
    text = str(refusal(path, busy_timeout_s=0.01))
    assert "is in WAL mode on nfs, a file system where that corrupts data" in text
    assert "run `cronq stop`, then try again" in text


# refusals


def test_a_database_of_another_program_is_refused_and_not_touched(path):
    made_by_sqlite(path, "CREATE TABLE users (name TEXT)")
    before = Path(path).read_bytes()
    assert "is a database of another program: set `transport` to a file of its own" in str(refusal(path))
    assert Path(path).read_bytes() == before


def test_a_database_with_somebody_s_application_id_is_refused(path):
    made_by_sqlite(path, "PRAGMA application_id = 42", "CREATE TABLE messages (id)")
    assert "another program" in str(refusal(path))


def test_a_newer_schema_is_refused_with_what_to_do(path):
    once(path)
    made_by_sqlite(path, f"PRAGMA user_version = {VERSION + 1}")
    assert f"newer cronq (schema {VERSION + 1}, this one knows {VERSION}): install the newer version" in str(
        refusal(path)
    )


def test_a_file_that_is_no_database_is_refused_with_what_to_do(path):
    with open(path, "w") as file:
        file.write("not a database, but long enough to be looked at. " * 100)
    os.chmod(path, 0o600)
    error = refusal(path)
    assert "is not an SQLite database; move it away" in str(error)
    assert error.pressure is False


def test_a_damaged_header_is_refused(path):
    once(path, message())
    made_by_sqlite(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "r+b") as file:
        file.seek(16)
        file.write(b"\xff" * 60)
    assert path in str(refusal(path))


def test_damage_found_in_the_middle_of_work_says_how_to_recover(path):
    transport = SqliteTransport(path)
    transport.enqueue([message(body=b"x" * 500) for _ in range(500)])
    transport.close()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (os.path.getsize(path) - 4096))
    with pytest.raises(TransportError) as caught:
        transport.browse(State.READY)
    transport.close()
    assert caught.value.pressure is False
    assert ".recover" in str(caught.value)


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_may_write_is_refused_with_the_command_that_mends_it(path, mode):
    once(path)
    os.chmod(path, mode)
    text = str(refusal(path))
    assert f"mode {mode:04o} lets others write" in text
    assert text.endswith(f"chmod 600 {path}")


def test_a_symbolic_link_is_refused(path, tmp_path):
    os.symlink(tmp_path / "elsewhere.db", path)
    assert "is not a regular file (symbolic links are not followed)" in str(refusal(path))
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_directory_is_refused(path):
    os.mkdir(path)
    assert "is not a regular file" in str(refusal(path))


def test_a_missing_directory_is_told(tmp_path):
    assert "No such file or directory" in str(refusal(str(tmp_path / "gone" / "queue.db")))


def test_the_file_and_its_journals_are_private_whatever_the_umask(path, tmp_path):
    os.umask(0)
    transport = SqliteTransport(path)
    transport.enqueue([message()])
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    transport.close()
    assert set(modes.values()) == {0o600}
    assert {"queue.db", "queue.db-wal", "queue.db-shm"} <= set(modes)


AS_NOBODY = """
from cronq.errors import TransportError
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
import cronq.transports.sqlite.schema
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    SqliteTransport(sys.argv[1]).enqueue([Message("01" * 16, "high", "t", b"{}")])
    say("enqueued")
except TransportError as error:
    say(f"{error.pressure} {error}")
"""


@pytest.fixture
def foreign():
    """A directory that everybody reaches and only root may write."""
    import shutil
    import tempfile

    if os.geteuid() != 0:
        pytest.skip("only root can become nobody")
    place = tempfile.mkdtemp(dir="/opt")
    os.chmod(place, 0o755)  # noqa: S103 - for the user that is to look into it
    yield f"{place}/queue.db"
    shutil.rmtree(place)


def test_a_directory_that_is_read_only_is_told(foreign, python):
    said = says(python(AS_NOBODY, foreign))
    assert said == f"False {foreign}: Permission denied: cronq must be able to read and write it"


def test_a_file_that_is_read_only_is_told(foreign, python):
    once(foreign)
    os.chmod(foreign, 0o644)
    said = says(python(AS_NOBODY, foreign))
    assert said.startswith(f"False {foreign}: ")
    assert "must be able to" in said


# migration


HALF_MADE = {
    "only the table of migrations": (
        "CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)",
    ),
    "everything but the marks": None,
}


@pytest.mark.parametrize("state", HALF_MADE)
def test_an_unfinished_migration_is_completed_by_the_next_opener(path, state):
    statements = HALF_MADE[state]
    if statements is None:
        once(path)
        statements = ("PRAGMA application_id = 0", "PRAGMA user_version = 0")
    made_by_sqlite(path, *statements)
    os.chmod(path, 0o600)
    transport = SqliteTransport(path)
    transport.enqueue([message()])
    assert pragma(transport, "user_version") == VERSION
    transport.close()


def test_a_file_from_before_schedules_is_migrated_and_keeps_its_messages(path):
    sent = message()
    once(path, sent)
    made_by_sqlite(
        path,
        "DROP TABLE schedules",
        "DELETE FROM _sqlite_migrations WHERE name IN ('recurring_schedules', 'how_runs_of_schedules_ended')",
        "PRAGMA user_version = 1",
    )
    transport = SqliteTransport(path)
    assert transport.schedules() == []
    assert (pragma(transport, "user_version"), transport.find(sent.id).message) == (VERSION, sent)
    transport.close()


def test_a_schedule_of_an_older_file_is_kept_and_consumers_of_that_release_go_on_with_it(path):
    connection = sqlite3.connect(path, isolation_level=None)
    migrations.apply(Database(connection, execute_plugins=False), stop_before="how_runs_of_schedules_ended")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 4")
    os.chmod(path, 0o600)
    columns = "source, name, declared, timing, spec, next_at, refused, last_at, last_message_id"
    insert = f"INSERT INTO schedules ({columns}) VALUES ('code', ?, 'x', 'y', x'7b7d', 5.0, NULL, 4.0, '00')"  # noqa: S608
    connection.execute(insert, ("before",))
    transport = SqliteTransport(path)
    (before,) = transport.schedules()
    assert before == StoredSchedule("code", "before", "x", "y", b"{}", 5.0, None, 4.0, "00")
    connection.execute(insert, ("meanwhile",))
    assert [one.name for one in transport.schedules()] == ["before", "meanwhile"]
    assert pragma(transport, "user_version") == VERSION
    transport.close()
    connection.close()


OLD_COLUMNS = "id, queue, task, body, headers, priority, available_at, attempt, max_attempts, expires_at, position"


def old_file(path: str, *messages: Message) -> None:
    """A file as version 1 wrote it: the statements that fill it name columns that it had."""
    connection = sqlite3.connect(path, isolation_level=None)
    migrations.apply(Database(connection, execute_plugins=False), stop_before="why_attempts_failed")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    for one in messages:
        values = (bytes.fromhex(one.id), *one[1:11], "ready")
        connection.execute(f"INSERT INTO messages ({OLD_COLUMNS}, state) VALUES ({', '.join('?' * 12)})", values)  # noqa: S608
    connection.close()
    os.chmod(path, 0o600)


def test_a_file_of_version_1_is_migrated_and_keeps_its_messages(path):
    sent = message(body=b'{"to":"ada"}')
    old_file(path, sent)
    transport = SqliteTransport(path)
    assert pragma(transport, "user_version") == VERSION
    (got,) = transport.exchange(ME, [], want()).messages
    assert got == sent._replace(attempt=1, position=1)
    transport.exchange(ME, [Fail(got, "boom", Cause("ValueError", "boom"))], None)
    assert [one.error_class for one in transport.find(sent.id).attempts] == ["ValueError"]
    transport.close()


def test_a_failure_of_version_1_has_no_class_and_no_history(path):
    sent = message()
    old_file(path, sent)
    made_by_sqlite(path, "UPDATE messages SET state = 'failed', error = 'ValueError: boom', finished_at = 5")
    transport = SqliteTransport(path)
    (record,) = transport.browse(State.FAILED)
    assert (record.error, record.error_class, record.attempts) == ("ValueError: boom", None, ())
    transport.close()


def test_a_consumer_of_version_1_goes_on_while_its_file_is_migrated(path):
    """A deploy: the old process keeps its connection, and what its statements name stays where it was."""
    old_file(path, message())
    old = sqlite3.connect(path, isolation_level=None)
    assert old.execute("SELECT count(*) FROM messages").fetchone() == (1,)
    new = SqliteTransport(path)
    new.counts()
    old.execute("UPDATE messages SET state = 'failed', holder = NULL, error = 'boom', finished_at = 5")
    assert len(new.browse(State.FAILED)) == 1
    new.close()
    old.close()


def test_a_kill_at_any_statement_of_the_first_opening_does_no_harm(tmp_path, python):
    finished = python(DYING, str(tmp_path / "whole.db"), "1000")
    statements = 1000 - int(says(finished))
    assert statements > 15
    killed = [
        (number, python(DYING, str(tmp_path / f"{number}.db"), str(number))) for number in range(0, statements, 3)
    ]
    for number, process in killed:
        assert process.wait(300) == -9
        transport = SqliteTransport(str(tmp_path / f"{number}.db"))
        transport.enqueue([message()])
        assert len(transport.exchange(ME, [], want()).messages) == 1
        assert pragma(transport, "user_version") == VERSION
        transport.close()


OPEN = """
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
from cronq.messages.ids import new_id
say("ready")
sys.stdin.readline()
transport = SqliteTransport(sys.argv[1], busy_timeout_s=300)
transport.enqueue([Message(new_id(), "high", "t", b"{}")])
say("enqueued")
"""


def test_many_processes_open_a_fresh_file_at_once(path, python):
    processes = [python(OPEN, path) for _ in range(8)]
    assert {says(process) for process in processes} == {"ready"}
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [says(process) for process in processes] == ["enqueued"] * 8
    transport = SqliteTransport(path)
    assert transport.depth(["high"], 100) == 8
    transport.close()


def test_a_current_file_is_opened_without_the_migration_library(path, python):
    once(path)
    code = """
    from cronq.transports.sqlite import SqliteTransport
    SqliteTransport(sys.argv[1]).counts()
    say(str([name for name in ("sqlite_utils", "filelock", "click", "msgspec") if name in sys.modules]))
    """
    assert says(python(code, path)) == "[]"


# many processes at work


ENQUEUE = """
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
from cronq.messages.ids import new_id
transport = SqliteTransport(sys.argv[1], "normal", busy_timeout_s=300)
for number in range(500):
    transport.enqueue([Message(new_id(), "high", sys.argv[2], str(number).encode())])
transport.close()
say("done")
"""

CONSUME = """
import json
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Ack
from cronq.transports.exchange import Want
transport = SqliteTransport(sys.argv[1], "normal", busy_timeout_s=300)
ended, seen, position, stop_at = [], [], 1, time.monotonic() + 600
while time.monotonic() < stop_at:
    got = transport.exchange(f"h/high.0/{os.getpid()}/1/b", ended, Want(["high"], 1e12, 7, position))
    assert got.lost == []
    position += len(got.messages)
    seen += [f"{one.task} {one.body.decode()}" for one in got.messages]
    ended = [Ack(one) for one in got.messages]
    if not got.messages:
        if os.path.exists(sys.argv[2]):
            break
        time.sleep(0.002)
transport.close()
say(json.dumps(seen))
"""


def test_nothing_is_lost_and_nothing_doubled_among_many_processes(path, tmp_path, python):
    over = tmp_path / "over"
    once(path)
    consumers = [python(CONSUME, path, str(over)) for _ in range(2)]
    producers = [python(ENQUEUE, path, f"p{number}") for number in range(4)]
    assert [says(process) for process in producers] == ["done"] * 4
    over.touch()
    seen = Counter(one for process in consumers for one in json.loads(says(process)))
    assert seen == Counter(f"p{producer} {number}" for producer in range(4) for number in range(500))
    transport = SqliteTransport(path)
    assert transport.counts() == []
    transport.close()


def test_one_message_is_never_put_into_a_transaction_that_goes_on(path):
    """It would be gone with a rollback, though its enqueue had returned."""
    transport = SqliteTransport(path)
    connection = transport._connections.get()
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransportError, match="a transaction is going on"):
        transport.enqueue([Message(new_id(), "high", "t", b"{}")])
    connection.execute("ROLLBACK")
    assert transport.counts() == []
    transport.close()


def test_a_forked_child_opens_a_connection_of_its_own(path, python):
    code = """
    from cronq.transports.sqlite import SqliteTransport
    from cronq.messages.message import Message
    from cronq.messages.ids import new_id
    transport = SqliteTransport(sys.argv[1])
    transport.enqueue([Message(new_id(), "high", "t", b"{}")])
    ours = id(transport._connections.get())
    keep = transport._connections.get()
    child = os.fork()
    if child == 0:
        transport.enqueue([Message(new_id(), "high", "t", b"{}")])
        os._exit(0 if transport._connections.get() is not keep else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    transport.enqueue([Message(new_id(), "high", "t", b"{}")])
    say(str(transport.depth(["high"], 10)))
    """
    assert says(python(code, path)) == "3"


ORPHAN = """
import signal, subprocess
from cronq.transports.sqlite import SqliteTransport
from cronq.messages.message import Message
from cronq.messages.ids import new_id
transport = SqliteTransport(sys.argv[1])
transport.enqueue([Message(new_id(), "parent", "t", b"{}")])
reader, writer = os.pipe()
if os.fork() == 0:
    os.close(writer)
    transport.enqueue([Message(new_id(), "before", "t", b"{}")])
    say("ready")
    os.read(reader, 1)
    code = f"from cronq.transports.sqlite import SqliteTransport as T; t = T({sys.argv[1]!r}); t.counts(); t.close()"
    subprocess.run([sys.executable, "-c", code], check=True)
    transport.enqueue([Message(new_id(), "after", "t", b"{}")])
    say("enqueued")
    os._exit(0)
sys.stdin.readline()
"""


def test_a_forked_child_loses_nothing_when_its_parent_ends_before_it(path, python):
    process = python(ORPHAN, path)
    assert says(process) == "ready"
    process.stdin.close()
    process.stdin = None
    assert says(process) == "enqueued"
    transport = SqliteTransport(path)
    assert [counts.queue for counts in transport.counts()] == ["after", "before", "parent"]
    transport.close()


def test_every_thread_has_a_connection_of_its_own(path):
    transport = SqliteTransport(path, busy_timeout_s=300)
    transport.enqueue([message()])
    errors = []

    def enqueue():
        try:
            transport.enqueue([message() for _ in range(20)])
            transport.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=enqueue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert transport.depth(["high"], 1000) == 161
    transport.close()


def test_a_closed_transport_opens_again_when_it_is_used(transport):
    transport.enqueue([message()])
    transport.close()
    transport.close()
    assert transport.depth(["high"], 5) == 1


# what a message costs


class Traced:
    """What a connection is asked to do."""

    def __init__(self, transport: SqliteTransport) -> None:
        self.statements: list[str] = []
        connection_of(transport).set_trace_callback(self.statements.append)

    def words(self) -> list[str]:
        """What its transactions consist of."""
        return [statement.split()[0] for statement in self.statements if not statement.startswith("PRAGMA")]


def test_one_commit_acks_the_last_message_and_reserves_the_next(transport):
    transport.enqueue([message(), message()])
    (first,) = transport.exchange(ME, [], want()).messages
    traced = Traced(transport)
    (second,) = transport.exchange(ME, [Ack(first)], want(position=2)).messages
    assert second.id != first.id
    words = traced.words()
    assert (words[0], words.count("BEGIN"), words.count("COMMIT"), words[-1]) == ("BEGIN", 1, 1, "COMMIT")
    assert len(words) <= 7


def test_plain_acks_never_look_at_the_history(transport):
    transport.enqueue([message() for _ in range(3)])
    got = transport.exchange(ME, [], want(limit=3)).messages
    traced = Traced(transport)
    transport.exchange(ME, [Ack(one) for one in got], None)
    assert traced.words() == ["BEGIN", "DELETE", "DELETE", "DELETE", "COMMIT"]


def test_a_failed_attempt_is_remembered_in_the_commit_that_ends_it(transport):
    transport.enqueue([message()])
    (got,) = transport.exchange(ME, [], want()).messages
    traced = Traced(transport)
    transport.exchange(ME, [Release(got, 0, "boom", cause=Cause("ValueError", "boom"))], None)
    assert traced.words() == ["BEGIN", "SELECT", "UPDATE", "UPDATE", "COMMIT"]


@pytest.mark.parametrize("state", list(State))
def test_looking_through_a_state_uses_its_index_and_sorts_nothing(transport, state):
    statement, values = select(Selection(state))
    plan = [row[3] for row in connection_of(transport).execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert f"USING INDEX {state}" in plan[0]
    assert len(plan) == 1 or state in {State.RESERVED, State.BLOCKED}  # few; those of one reason


def test_a_history_that_cannot_be_read_hides_nothing(transport):
    sent = message()
    transport.enqueue([sent])
    connection_of(transport).execute("UPDATE messages SET history = '[{\"who\": 1}]'")
    assert transport.find(sent.id).attempts == ()


def test_many_calls_are_one_commit(transport):
    transport.counts()
    traced = Traced(transport)
    transport.enqueue([message() for _ in range(100)])
    assert (traced.words().count("COMMIT"), traced.words().count("INSERT")) == (1, 100)


def test_an_idle_look_takes_no_write_lock(transport, path):
    transport.counts()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert transport.exchange(ME, [], want()).messages == []
    assert (transport.depth(["high"], 1), transport.next_at(["high"]), transport.prune(60, 10)) == (0, None, 0)
    other.close()


def test_an_idle_look_writes_nothing(transport):
    transport.counts()
    traced = Traced(transport)
    transport.exchange(ME, [], want())
    assert set(traced.words()) == {"SELECT"}


@pytest.mark.parametrize("queue", ["high", "empty"])
def test_reserving_costs_the_same_whatever_the_backlog(path, queue):
    def cost(backlog: int) -> int:
        transport = SqliteTransport(f"{path}{backlog}", "normal", FakeClock())
        transport.enqueue([message(available_at=2e9 * (number % 2)) for number in range(backlog)])
        steps = []
        connection_of(transport).set_progress_handler(lambda: steps.append(1) and None, 50)
        transport.exchange(ME, [], Want([queue], 1e12, 1, 1))
        transport.close()
        return len(steps)

    assert cost(5000) <= cost(50) + 3


# pressure


def test_a_held_lock_is_pressure_and_says_so(transport, path):
    transport.counts()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TransportError, match="another process held the write lock too long") as caught:
        transport.enqueue([message()])
    other.close()
    assert caught.value.pressure is True
    transport.enqueue([message()])


def test_a_full_disk_is_pressure_and_nothing_is_half_written(transport):
    transport.enqueue([message(body=b"x" * 100)])
    connection = connection_of(transport)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(TransportError, match="the disk or your quota is full") as caught:
        transport.enqueue([message(body=b"x" * 3000) for _ in range(50)])
    assert caught.value.pressure is True
    assert transport.depth(["high"], 100) == 1
    connection.execute("PRAGMA max_page_count = 100000")
    transport.enqueue([message()])
    assert transport.depth(["high"], 100) == 2


def test_a_failing_exchange_settles_nothing(transport):
    transport.enqueue([message(), message()])
    (first,) = transport.exchange(ME, [], want()).messages
    connection = connection_of(transport)
    connection.execute("CREATE TEMP TRIGGER broken BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(TransportError):
        transport.exchange(ME, [Ack(first)], want(position=2))
    connection.execute("DROP TRIGGER broken")
    assert transport.find(first.id).state is State.RESERVED
    assert transport.is_busy() is False


def test_a_second_message_with_the_same_id_is_refused_with_all_of_its_transaction(transport):
    twin = message()
    with pytest.raises(TransportError):
        transport.enqueue([message(), twin, twin])
    assert transport.depth(["high"], 5) == 0


def test_a_file_that_was_removed_under_a_process_is_made_anew_and_nothing_goes_into_the_old_one(path):
    transport = SqliteTransport(path)
    transport.enqueue([message()])
    for name in (path, f"{path}-wal", f"{path}-shm"):
        os.unlink(name)
    transport.enqueue([message()])
    transport.close()
    other = SqliteTransport(path)
    assert other.depth(["high"], 5) == 1
    other.close()


def test_connections_of_threads_that_have_ended_are_closed(path):
    transport = SqliteTransport(path)
    transport.enqueue([message()])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        thread = threading.Thread(target=lambda: transport.depth(["high"], 1))
        thread.start()
        thread.join()
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # SQLite keeps one for later while the file is locked
    transport.close()


def test_a_kept_exception_keeps_no_connection_of_a_thread_that_has_ended(path):
    """As a Future does, and whoever reports errors: its traceback refers to what the thread worked with."""
    transport = SqliteTransport(path)
    there, kept = message(), []
    transport.enqueue([there])

    def enqueue_again() -> None:
        try:
            transport.enqueue([there])
        except TransportError as error:
            kept.append(error)

    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        thread = threading.Thread(target=enqueue_again)
        thread.start()
        thread.join()
    assert len(kept) == 20
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    transport.close()


def test_a_file_that_another_thread_has_just_made_is_not_opened_and_closed(path, transport, monkeypatch):
    """It came between the look and the opening; closing would drop its locks (sqlite.org/howtocorrupt.html, 2.2)."""
    transport.enqueue([message()])
    inode = f":{os.stat(path).st_ino} "

    def locks() -> list[str]:  # without their numbers, which count the locks of the whole host
        lines = Path("/proc/locks").read_text().splitlines()
        return [line.partition(":")[2] for line in lines if inode in line]

    def all_locks() -> list[str]:
        """The file is read in pieces: a line may be missed, or come twice, while others lock and unlock."""
        looks = [locks() for _ in range(20)]
        return max(looks, key=looks.count)

    before = all_locks()
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    connections._make_private(path)
    assert before
    wait_until(lambda: all_locks() == before)


def test_a_glance_shows_what_counting_shows_but_for_results(transport):
    transport.enqueue([message(queue="high", priority=number % 3) for number in range(9)])
    transport.enqueue([message(queue="low", available_at=time.time() + 1000), message(queue="low", available_at=1.0)])
    transport.pause("low", True)
    first, second, third = transport.exchange("me", [], Want(["high"], 9e9, 3, 1)).messages
    transport.exchange("me", [Fail(first, "no"), Ack(second, b"1", 60)], None)
    assert third
    assert transport.glance() == [counts._replace(done=0) for counts in transport.counts()]


def test_a_glance_stops_counting_and_says_where(transport, monkeypatch):
    monkeypatch.setattr(counts, "GLANCED_AT", 5)
    transport.enqueue([message(queue="high") for _ in range(7)] + [message(queue="low") for _ in range(4)])
    high, low = transport.glance()
    assert (high.ready, high.more) == (5, ("ready",))
    assert (low.ready, low.more) == (4, ())

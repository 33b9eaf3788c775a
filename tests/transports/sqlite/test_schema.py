"""Migrations, of files of older releases and of those cut short."""

from __future__ import annotations

import os
import sqlite3

import pytest
from sqlite_utils import Database

from cronq.messages.attempts import Cause
from cronq.messages.message import Fail, Message, State
from cronq.schedules.stored import StoredSchedule
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.schema import migrations
from cronq.transports.sqlite.version import APPLICATION_ID, VERSION
from tests.making import message
from tests.presence import there
from tests.processes import says
from tests.transports.sqlite.databases import ME, made_by_sqlite, once, pragma, want
from tests.transports.sqlite.dying import DYING

HALF_MADE: dict[str, tuple[str, ...] | None] = {
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
    assert (pragma(transport, "user_version"), there(transport.find(sent.id)).message) == (VERSION, sent)
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
    assert [one.error_class for one in there(transport.find(sent.id)).attempts] == ["ValueError"]
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


def test_a_current_file_is_opened_without_the_migration_library(path, python):
    once(path)
    code = """
    from cronq.transports.sqlite import SqliteTransport
    SqliteTransport(sys.argv[1]).counts()
    say(str([name for name in ("sqlite_utils", "filelock", "click", "msgspec") if name in sys.modules]))
    """
    assert says(python(code, path)) == "[]"

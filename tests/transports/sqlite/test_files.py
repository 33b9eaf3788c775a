"""Whose the file is, who may read and write it, and what is said of damage."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cronq.errors import TransportError
from cronq.messages.message import State
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.version import APPLICATION_ID, VERSION
from tests.making import message
from tests.processes import says
from tests.transports.sqlite.databases import made_by_sqlite, once, pragma, refusal


def test_the_file_says_whose_it_is(transport):
    assert (pragma(transport, "application_id"), pragma(transport, "user_version")) == (APPLICATION_ID, VERSION)


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

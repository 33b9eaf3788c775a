"""On a file system that is not known to be local, tried with a real one: FUSE, mounted by bindfs(1)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.filesystem import type_of
from tests.making import message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bindfs") is None, reason="needs bindfs"),
    pytest.mark.skipif(not os.access("/dev/fuse", os.W_OK), reason="may not mount here"),
]

WORK = """
import sys
from cronq.messages.message import Ack
from cronq.transports.exchange import Want
from cronq.transports.sqlite import SqliteTransport
from tests.making import message

path, me = sys.argv[1:]
transport = SqliteTransport(path, busy_timeout_s=120)  # eight at one file, whose journal is synced each time
for number in range(25):
    transport.enqueue([message(body=f'"{me}-{number}"'.encode())])
    taken = transport.exchange(me, [], Want(["high"], 9e9, 1, number + 1)).messages
    for one in taken:
        print(one.body.decode(), flush=True)
    assert transport.exchange(me, [Ack(one) for one in taken], None).lost == []
"""


@pytest.fixture
def remote(home: Path) -> Iterator[Path]:
    kept, mounted = home / "kept", home / "mounted"
    kept.mkdir()
    mounted.mkdir()
    subprocess.run(["bindfs", str(kept), str(mounted)], check=True)
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


def test_it_is_told_from_a_local_one(remote: Path, home: Path) -> None:
    assert type_of(str(remote / "queue.db")).startswith("fuse")
    assert not type_of(str(home / "queue.db")).startswith("fuse")


def test_the_write_ahead_log_is_refused_and_every_commit_synced(remote: Path) -> None:
    transport = SqliteTransport(str(remote / "queue.db"))
    transport.enqueue([message()])

    connection = transport._connections.get()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert not (remote / "queue.db-wal").exists()
    transport.close()


def test_eight_processes_lose_nothing_and_run_nothing_twice(remote: Path) -> None:
    path = str(remote / "queue.db")
    SqliteTransport(path).close()
    processes = [
        subprocess.Popen([sys.executable, "-c", WORK, path, f"p{number}"], stdout=subprocess.PIPE, text=True)
        for number in range(8)
    ]
    ran = [line for process in processes for line in process.communicate(timeout=600)[0].splitlines()]

    assert [process.returncode for process in processes] == [0] * 8
    with closing(sqlite3.connect(path)) as connection:
        left = [body.decode() for (body,) in connection.execute("SELECT body FROM messages")]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert sorted(ran + left) == sorted(f'"p{me}-{number}"' for me in range(8) for number in range(25))

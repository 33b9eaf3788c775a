"""One connection for each thread, closed with it."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from cronq.errors import TransportError
from cronq.transports.sqlite import SqliteTransport, connections
from tests.making import message
from tests.transports.sqlite.databases import connection_of
from tests.waiting import wait_until


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

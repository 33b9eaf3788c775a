"""When the disk has what was written, and what is said when it has not."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from cronq import events
from cronq.errors import SyncError, TransportError
from cronq.messages.message import Ack
from cronq.transports.sqlite import SqliteTransport
from tests.making import message
from tests.transports.sqlite.databases import ME, connection_of, made_by_sqlite, once, pragma, want

if TYPE_CHECKING:
    from cronq.messages.message import Message


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

    seen: list[Message] = []
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
    monkeypatch.setattr(connection_of(transport), "log", f"{path}-wal/none")
    for count in (1, 2):
        with pytest.raises(TransportError, match="Not a directory: cronq must be able to open it"):
            transport.enqueue([message() for _ in range(count)])
    assert transport.depth(["high"], 9) == 0


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


def test_a_file_that_has_had_no_write_ahead_log_is_enqueued_into_before_anything_is_read(path):
    """As a copy has none, which somebody has put where the queues are."""
    once(path)
    made_by_sqlite(path, "PRAGMA journal_mode = DELETE")
    transport = SqliteTransport(path)
    transport.enqueue([message()])
    assert transport.depth(["high"], 5) == 1
    transport.close()

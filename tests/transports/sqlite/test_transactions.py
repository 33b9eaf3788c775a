"""What a message costs, and what a transaction leaves when it fails."""

from __future__ import annotations

import sqlite3

import pytest

from cronq.errors import TransportError
from cronq.messages.attempts import Cause
from cronq.messages.ids import new_id
from cronq.messages.message import Ack, Message, Release, State
from cronq.transports.exchange import Want
from cronq.transports.selection import Selection
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.pages import select, starting_with
from tests.clocks import FakeClock
from tests.making import message
from tests.transports.sqlite.databases import ME, Traced, connection_of, want


def test_a_message_that_was_announced_is_reserved_without_a_look_first(transport):
    transport.enqueue([message(), message()])
    traced = Traced(transport)
    (looked_for,) = transport.exchange(ME, [], want()).messages
    assert traced.words()[0] == "SELECT"
    traced.statements.clear()
    (announced,) = transport.exchange(ME, [], want(position=2)._replace(is_expected=True)).messages
    assert traced.words()[0] == "BEGIN"
    assert looked_for.id != announced.id


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


def test_ids_are_found_by_their_first_digits_in_the_index_of_ids(transport):
    transport.enqueue([message()])
    statement, values = starting_with("0195b4c8", 5)
    plan = [row[3] for row in connection_of(transport).execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    (step,) = plan  # SQLite before 3.36 says TABLE as well
    assert step.replace("TABLE ", "") == "SEARCH messages USING PRIMARY KEY (id>? AND id<?)"


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

        def step():
            steps.append(1)

        connection_of(transport).set_progress_handler(step, 50)
        transport.exchange(ME, [], Want([queue], 1e12, 1, 1))
        transport.close()
        return len(steps)

    assert cost(5000) <= cost(50) + 3


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

"""What terms cost in SQLite, and what mends itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.messages.message import UNTIL_DONE, Ack, State
from cronq.messages.rate import parse
from cronq.transports.exchange import Want
from cronq.transports.sqlite import SqliteTransport, gated_reservation
from cronq.transports.sqlite import statements as sql
from tests.clocks import FakeClock
from tests.transports.contract import ME, message

if TYPE_CHECKING:
    from pathlib import Path

LOOKUPS = {
    "STANDING": ("k", 0, "k", 0, "k", 0),
    "COUNT_RUNNING": ("r",),
    "IS_OPEN": ("g",),
    "HAS_BLOCKED": ("group:g",),
    "RESULTS": ("g",),
    "GATHERED_READY": ("batch:high:t", "high", 5),
    "GATHERED_DELAYED": ("batch:high:t", "high", 5),
    "NEXT_REASON": ("",),
    "NEXT_BLOCKED_QUEUE": ("running:r", ""),
    "NEXT_BLOCKED": ("running:r", "high", 1),
    "DEPTH_BLOCKED": ("rate:task:t", "high", 1),
    "GIVE_UP_PARTS": ("g",),
    "FREE_ALL": (0, "task:t", 5),
}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def transport(clock, tmp_path: Path):
    transport = SqliteTransport(str(tmp_path / "queue.db"), clock=clock)
    transport.counts()
    yield transport
    transport.close()


def reserve(transport, limit=10, position=1, outcomes=(), **fields):
    return transport.exchange(ME, outcomes, Want(("high",), 1e12, limit, position, **fields))


def delete(transport, sent) -> None:
    """Ack a message as a consumer of an older release does: nothing is freed."""
    transport._connections.get().execute("DELETE FROM messages WHERE id = ?", (bytes.fromhex(sent.id),))


@pytest.mark.parametrize("name", LOOKUPS)
def test_terms_are_looked_up_by_an_index_and_nothing_is_walked_through(transport, name):
    statement = getattr(sql, name)
    connection = transport._connections.get()
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", LOOKUPS[name])]
    looks = [step for step in plan if "messages" in step]
    assert looks
    assert all(step.startswith("SEARCH") for step in looks)


def test_waiting_for_a_rate_costs_the_same_however_many_wait(transport, clock):
    """Statements, not seconds: a look at each list of candidates, and what is reserved."""
    rates = {"task:shop:send": parse("2/m")}
    counted = []
    for more in (5, 500):
        transport.enqueue([message() for _ in range(more)])
        reserve(transport, rates=rates)
        clock.advance(62)
        seen: list[str] = []
        transport._connections.get().set_trace_callback(seen.append)
        got = reserve(transport, rates=rates, position=100 + more).messages
        transport._connections.get().set_trace_callback(None)
        counted.append((len(got), len(seen)))
        transport.exchange(ME, [Ack(one) for one in got], None)
    assert counted[0] == counted[1]
    assert counted[0][0] == 2


def test_many_that_have_to_wait_are_moved_in_several_transactions(transport, monkeypatch):
    monkeypatch.setattr(gated_reservation, "REFUSED_AT_ONCE", 3)
    sent = [message(running_key="r", max_running=1) for _ in range(10)]
    other = message()
    transport.enqueue([*sent, other])
    reserve(transport, limit=1)
    seen: list[str] = []
    transport._connections.get().set_trace_callback(seen.append)
    got = reserve(transport, limit=1, position=2).messages
    transport._connections.get().set_trace_callback(None)
    assert ([one.id for one in got], seen.count("COMMIT")) == ([other.id], 3)


@pytest.mark.parametrize("what", ["running", "group"])
def test_what_an_older_release_did_not_free_is_freed_by_the_tick(transport, what):
    if what == "running":
        first, second = (message(running_key="r", max_running=1) for _ in range(2))
    else:
        first, second = message(group_id="g"), message(waits_for="g")
    transport.enqueue([first, second])
    reserve(transport)
    assert transport.find(second.id).state is State.BLOCKED
    transport.prune(60, 10)
    assert transport.find(second.id).state is State.BLOCKED
    delete(transport, first)
    transport.prune(60, 10)
    assert transport.find(second.id).state is State.READY


def test_a_tick_with_nothing_to_free_takes_no_write_lock(transport):
    transport.enqueue([message(running_key="r", max_running=1) for _ in range(3)])
    reserve(transport)
    seen: list[str] = []
    transport._connections.get().set_trace_callback(seen.append)
    transport.prune(60, 10)
    transport._connections.get().set_trace_callback(None)
    assert not [statement for statement in seen if statement.startswith("BEGIN")]


def test_gathering_messages_wait_for_no_reason_that_could_be_gone(transport, clock):
    transport.enqueue([message(gather=100, available_at=clock.now() + 9) for _ in range(50)])
    assert transport.prune(60, 10) == 0
    assert transport.counts()[0].delayed == 50


def test_a_key_survives_the_process(transport, tmp_path):
    first = message(unique_key="k", unique_until=UNTIL_DONE)
    transport.enqueue([first])
    transport.close()
    again = SqliteTransport(str(tmp_path / "queue.db"))
    second = message(unique_key="k", unique_until=UNTIL_DONE)
    assert again.enqueue([second]) == {second.id: first.id}
    again.close()

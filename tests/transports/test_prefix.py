"""Several installations in one database. The contract holds for each, whatever its neighbours do."""

from __future__ import annotations

import sqlite3

import pytest

from cronq.errors import UsageError
from cronq.messages.attempts import Cause
from cronq.messages.message import Ack, Fail, State
from cronq.schedules.stored import Fired, Firing
from cronq.transports.exchange import Evidence, Want
from cronq.transports.prefix import Prefixed
from cronq.transports.selection import Selection
from cronq.transports.sqlite import SqliteTransport
from tests.clocks import FakeClock
from tests.making import message
from tests.transports.abilities.copies_contract import CopiesContract
from tests.transports.abilities.shared_transactions_contract import SharedTransactionsContract
from tests.transports.abilities.stored_schedules_contract import run_of, schedule
from tests.transports.contract import ME
from tests.transports.whole_contract import WholeContract

NEIGHBOUR = "blog:"


def database(clock, path):
    return SqliteTransport(str(path / "queue.db"), "full", clock)


class TestPrefixed(WholeContract, CopiesContract, SharedTransactionsContract):
    def make(self, clock, tmp_path):
        inner = database(clock, tmp_path)
        neighbour = Prefixed(inner, NEIGHBOUR, clock)
        neighbour.enqueue([message(), message(), message(available_at=clock.now() + 5)])
        (taken,) = neighbour.exchange(ME, [], Want(("high",), 1e12, 1, 1)).messages
        neighbour.exchange(ME, [Fail(taken, "boom", Cause("OSError", "boom"))], None)
        neighbour.declare("code", [schedule()])
        return Prefixed(inner, "shop:", clock)

    def connect(self, tmp_path):
        return sqlite3.connect(tmp_path / "queue.db")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def inner(clock, tmp_path):
    inner = database(clock, tmp_path)
    yield inner
    inner.close()


@pytest.fixture
def shop(inner, clock):
    return Prefixed(inner, "shop:", clock)


@pytest.fixture
def blog(inner, clock):
    return Prefixed(inner, "blog:", clock)


def want(limit=10):
    return Want(("high",), 1e12, limit, 1)


def test_stored_names_have_the_prefix(shop, inner):
    shop.enqueue([message()])
    assert [counts.queue for counts in inner.counts()] == ["shop+high"]
    assert [counts.queue for counts in shop.counts()] == ["high"]


def test_nobody_reserves_a_neighbour_s_message(shop, blog):
    sent = message()
    shop.enqueue([sent])
    assert blog.exchange(ME, [], want()).messages == []
    assert blog.find(sent.id) is None
    assert blog.depth(("high",), 5) == 0
    assert [one.id for one in shop.exchange(ME, [], want()).messages] == [sent.id]


def test_keys_of_neighbours_are_not_the_same(shop, inner):
    sent = message(unique_key="mail:ada", running_key="ada")
    shop.enqueue([sent])
    assert inner.find(sent.id).message[11:14:2] == ("shop+mail:ada", "shop+ada")
    assert shop.find(sent.id).message == sent


def test_a_task_of_the_same_name_is_a_neighbour_s_own(shop, blog, inner):
    """Staging and production have the same tasks."""
    for transport in (shop, blog):
        transport.enqueue([message()])
    assert {one.message.task for one in inner.browse(State.READY)} == {"shop+shop.send", "blog+shop.send"}
    assert len(shop.select(Selection(State.READY, task="shop.send"))) == 1
    assert shop.exchange(ME, [], want()._replace(without_tasks=["shop.send"])).messages == []


def test_the_same_slot_of_a_neighbour_is_another_holder(shop, blog):
    """Both have a consumer high.0 on one host: neither may be taken for the other, nor for dead."""
    for transport in (shop, blog):
        transport.enqueue([message()])
        transport.exchange(ME, [], want())
    assert [held.messages for held in shop.held()] == [1]
    shop.rescue(ME, Evidence("died"))
    assert shop.held() == []
    assert [held.holder for held in blog.held()] == [ME]


def test_schedules_of_neighbours_do_not_replace_each_other(shop, blog):
    shop.declare("code", [schedule("nightly")])
    blog.declare("code", [schedule("weekly")])
    assert [one.name for one in shop.schedules()] == ["nightly"]
    (weekly,) = blog.schedules()
    assert blog.fire(Firing(weekly, weekly.next_at + 60, [message()]))
    assert shop.counts() == []


def test_a_neighbour_s_failures_are_kept_as_long_as_that_one_says(shop, blog, clock):
    for transport in (shop, blog):
        transport.enqueue([message()])
        (taken,) = transport.exchange(ME, [], want()).messages
        transport.exchange(ME, [Fail(taken, "boom")], None)
    clock.advance(100)
    assert shop.prune(50, 10) == 1
    assert (len(shop.browse(State.FAILED)), len(blog.browse(State.FAILED))) == (0, 1)


def test_what_follows_a_message_stays_in_its_installation(shop, inner):
    shop.enqueue([message()])
    (taken,) = shop.exchange(ME, [], want()).messages
    shop.exchange(ME, [Ack(taken, then=(message("low"),))], None)
    assert [counts.queue for counts in inner.counts()] == ["shop+low"]


def test_pages_of_all_queues_pass_over_neighbours(shop, blog):
    mine = []
    for _ in range(3):
        blog.enqueue([message() for _ in range(400)])
        shop.enqueue([message() for _ in range(2)])
    page = shop.select(Selection(State.READY, at_most=4))
    while page:
        mine += page
        page = shop.select(Selection(State.READY, at_most=4, after=page[-1]))
    assert [record.message.queue for record in mine] == ["high"] * 6


def test_flush_and_pause_are_for_one_installation(shop, blog):
    for transport in (shop, blog):
        transport.enqueue([message()])
    shop.pause("high", True)
    assert len(blog.exchange(ME, [], want(1)).messages) == 1
    assert shop.exchange(ME, [], want(1)).messages == []
    assert shop.flush("high") == 1


def test_a_backup_is_of_the_whole_database_and_is_not_restored_over_neighbours(shop, blog, tmp_path):
    for transport in (shop, blog):
        transport.enqueue([message()])
    assert shop.backup(str(tmp_path / "copy.db")).waiting == 2
    with pytest.raises(UsageError, match="what others have in it would be replaced"):
        shop.restore(str(tmp_path / "copy.db"))
    assert blog.depth(("high",), 5) == 1


def test_a_failed_run_counts_for_its_own_installation_s_schedule_of_that_name(shop, blog):
    for one in (shop, blog):
        one.declare("code", [schedule()])
    assert shop.fire(Firing(schedule(), 2e9, [run_of()])) is Fired.ENQUEUED
    (taken,) = shop.exchange(ME, [], want()).messages
    assert taken.headers == run_of().headers
    shop.exchange(ME, [Fail(taken, "boom", Cause("OSError", "boom"))], None)
    assert [one.failures for transport in (shop, blog) for one in transport.schedules()] == [1, 0]

"""Which transport has which ability, and what is said when it has not."""

from __future__ import annotations

import pytest

from cronq.errors import UsageError
from cronq.transports.abilities.barriers import Barriers
from cronq.transports.abilities.controls import Controls
from cronq.transports.abilities.copies import Copies
from cronq.transports.abilities.demand import REFUSALS, demanded
from cronq.transports.abilities.queues import Queues
from cronq.transports.abilities.replays import Replays
from cronq.transports.abilities.search import Search
from cronq.transports.abilities.shared_transactions import SharedTransactions
from cronq.transports.abilities.stored_schedules import StoredSchedules
from cronq.transports.abilities.upkeep import Upkeep
from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.prefix import Prefixed
from cronq.transports.sqlite import SqliteTransport
from tests.clocks import FakeClock

OF_THE_WHOLE = {Queues, Upkeep, Search, Controls, Barriers, StoredSchedules}
ALL = OF_THE_WHOLE | {Copies, Replays, SharedTransactions}


def abilities_of(transport):
    return {ability for ability in ALL if transport.has(ability)}


@pytest.fixture
def sqlite(tmp_path):
    return SqliteTransport(str(tmp_path / "queue.db"))


def test_sqlite_can_do_everything(sqlite):
    assert abilities_of(sqlite) == ALL


def test_memory_can_do_what_nobody_has_to_ask_for():
    assert abilities_of(MemoryTransport()) == OF_THE_WHOLE


def test_a_prefix_adds_no_ability_and_takes_none_away(sqlite):
    for inner in (sqlite, MemoryTransport()):
        assert abilities_of(Prefixed(inner, "shop:", FakeClock())) == abilities_of(inner)


def test_what_can_be_missing_can_be_refused():
    assert set(REFUSALS) == ALL - OF_THE_WHOLE


@pytest.mark.parametrize(
    ("ability", "words"),
    [
        (Copies, "this transport cannot copy what it keeps: .* with the tools of its server"),
        (Replays, "this transport cannot take messages out of a spool: set spool = false"),
        (SharedTransactions, "this transport cannot be part of your transaction: .* use app.outbox()"),
    ],
)
def test_a_refusal_says_what_to_do_instead(ability, words):
    with pytest.raises(UsageError, match=words):
        demanded(MemoryTransport(), ability)


@pytest.mark.parametrize("ability", list(REFUSALS))
def test_who_has_the_ability_is_what_was_demanded(sqlite, ability):
    assert demanded(sqlite, ability) is sqlite


def test_a_prefix_refuses_as_what_it_is_around():
    prefixed = Prefixed(MemoryTransport(), "shop:", FakeClock())
    with pytest.raises(UsageError, match="cannot be part of your transaction"):
        prefixed.enqueue_in(object(), [])

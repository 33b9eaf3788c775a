"""What a transport must do about the terms of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.message import State
from cronq.transports.selection import Selection
from tests.transports.abilities.batches_contract import BatchesContract
from tests.transports.abilities.groups_contract import GroupsContract
from tests.transports.abilities.rates_contract import RatesContract
from tests.transports.abilities.running_keys_contract import RunningKeysContract
from tests.transports.abilities.unique_keys_contract import UniqueKeysContract
from tests.transports.contract import message

if TYPE_CHECKING:
    from cronq.messages.message import Record


class BarriersContract(UniqueKeysContract, RunningKeysContract, RatesContract, GroupsContract, BatchesContract):
    def test_blocked_messages_are_listed_page_by_page_found_and_removed(self, transport):
        transport.pause_task("shop:send", paused=True)
        sent = [message(["high", "low"][number % 2], priority=number) for number in range(5)]
        transport.enqueue(sent)
        self.reserve(transport, "high", "low")
        whole = transport.browse(State.BLOCKED)
        pages: list[Record] = []
        while page := transport.select(Selection(State.BLOCKED, after=pages[-1] if pages else None, at_most=2)):
            pages += page
        assert pages == whole
        assert transport.remove([sent[0].id]) == 1
        assert transport.flush("low") == 2
        assert transport.counts()[0].blocked == 2

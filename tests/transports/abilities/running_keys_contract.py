"""What a transport must do about running keys."""

from __future__ import annotations

import pytest

from cronq.messages.message import Ack, Continue, Fail, Release, State
from cronq.transports.exchange import Evidence
from tests.transports.contract import ME, OTHER, Contract, ids, message

ENDINGS = {
    "ack": Ack,
    "keep": lambda one: Ack(one, b"1", 60),
    "release": lambda one: Release(one, error="boom"),
    "fail": lambda one: Fail(one, "no"),
    "continue": lambda one: Continue(one, b"1"),
}


class RunningKeysContract(Contract):
    def running(self, key="r", most=1, **fields):
        return message(running_key=key, max_running=most, **fields)

    def test_no_more_of_a_running_key_are_reserved_than_it_allows(self, transport):
        sent = [self.running(most=2) for _ in range(4)]
        transport.enqueue(sent)
        assert ids(self.reserve(transport).messages) == ids(sent[:2])
        record = transport.find(sent[2].id)
        assert (record.state, record.blocked_by) == (State.BLOCKED, "running:r")
        assert (transport.depth(["high"], 9), transport.counts()[0].blocked) == (0, 2)

    def test_a_batch_counts_each_of_a_key_and_takes_others_past_them(self, transport):
        first, second, other = self.running(), self.running(), message()
        transport.enqueue([first, second, other])
        assert ids(self.reserve(transport, limit=2).messages) == [first.id, other.id]

    def test_running_keys_hold_across_holders_and_queues(self, transport):
        transport.enqueue([self.running(), self.running(queue="low")])
        assert len(self.reserve(transport, "high", "low").messages) == 1
        assert self.reserve(transport, "high", "low", holder=OTHER).messages == []

    @pytest.mark.parametrize("ends", ENDINGS)
    def test_every_ending_frees_the_next(self, transport, ends):
        first, second = self.running(), self.running()
        transport.enqueue([first, second])
        (taken,) = self.reserve(transport, limit=1).messages
        self.reserve(transport, holder=OTHER)
        assert self.state_of(transport, second) is State.BLOCKED
        transport.exchange(ME, [ENDINGS[ends](taken)], None)
        assert self.state_of(transport, second) is State.READY

    @pytest.mark.parametrize("below", [0, 2])
    def test_a_rescue_frees_the_next(self, transport, below):
        first, second = self.running(), self.running()
        transport.enqueue([first, second])
        self.reserve(transport)
        transport.rescue(ME, Evidence("killed", finished_below=below, running=1, certain=True))
        assert self.state_of(transport, second) is State.READY

    def test_the_freed_come_in_the_order_of_their_priority(self, transport):
        sent = [self.running(priority=number) for number in (9, 0, 1)]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport).messages
        (second,) = self.reserve(transport, outcomes=[Ack(taken)], position=2).messages
        assert second.id == sent[2].id

    def test_a_freed_message_in_a_paused_queue_does_not_keep_others_waiting(self, transport):
        sent = [self.running(), self.running(queue="a"), self.running(queue="b")]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport, "high", "a", "b").messages
        transport.pause("a", paused=True)
        got = self.reserve(transport, "a", "b", outcomes=[Ack(taken)], position=2).messages
        assert ids(got) == [sent[2].id]

    def test_removing_a_freed_message_frees_the_next(self, transport):
        sent = [self.running() for _ in range(3)]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport).messages
        transport.exchange(ME, [Ack(taken)], None)
        transport.remove([sent[1].id])
        assert self.state_of(transport, sent[2]) is State.READY

    def test_a_freed_message_whose_task_was_paused_makes_room_for_another(self, transport):
        sent = [self.running(), self.running(task="shop:pack"), self.running()]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport).messages
        transport.pause_task("shop:pack", paused=True)
        self.reserve(transport, outcomes=[Ack(taken)], position=2)
        assert ids(self.reserve(transport, position=3).messages) == [sent[2].id]

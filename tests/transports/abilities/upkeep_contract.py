"""What a transport must do with whole queues."""

from __future__ import annotations

from cronq.messages.message import Ack, Fail, State
from cronq.transports.exchange import Want
from tests.transports.contract import ME, Contract, message


class UpkeepContract(Contract):
    def test_counts_tell_every_state_of_every_queue(self, transport, clock):
        transport.enqueue([message(), message(), message(), message(available_at=clock.now() + 9), message("low")])
        done, failed = self.reserve(transport, limit=2).messages
        transport.exchange(ME, [Ack(done, keep_s=9), Fail(failed, "no")], Want(["low"], 1e12, 1, 9))
        high, low = transport.counts()
        assert high[:6] == ("high", 1, 1, 0, 1, 1)
        assert low[:6] == ("low", 0, 0, 1, 0, 0)
        assert high.oldest_at is not None
        assert low.oldest_at is None

    def test_whatever_waits_in_a_queue_is_counted_up_to_a_limit(self, transport, clock):
        gathering = message(gather=5, available_at=clock.now() + 9)
        transport.enqueue([message(), message(available_at=clock.now() + 9), message("low"), gathering])
        blocked = [message(running_key="one", max_running=1), message(running_key="one", max_running=1)]
        transport.enqueue(blocked)
        self.reserve(transport, limit=2)
        assert transport.waiting("high", 10) == 3
        assert [transport.waiting("high", most) for most in (0, 1, 2, 3)] == [0, 1, 2, 3]
        assert transport.waiting("none", 10) == 0

    def test_a_paused_queue_gives_nothing_until_it_is_resumed(self, transport):
        transport.enqueue([message()])
        transport.pause("high", True)
        assert (self.reserve(transport).messages, transport.depth(["high"], 5)) == ([], 0)
        assert [counts.paused for counts in transport.counts()] == [True]
        transport.pause("high", False)
        assert len(self.reserve(transport).messages) == 1

    def test_flush_deletes_a_queue_but_not_what_is_being_worked_on(self, transport):
        transport.enqueue([message(), message(), message("low")])
        (working,) = self.reserve(transport, limit=1).messages
        assert transport.flush("high") == 1
        assert self.state_of(transport, working) is State.RESERVED
        assert transport.depth(["low"], 5) == 1

    def test_prune_deletes_what_is_past_its_retention(self, transport, clock):
        transport.enqueue([message(), message()])
        done, failed = self.reserve(transport).messages
        transport.exchange(ME, [Ack(done, keep_s=60), Fail(failed, "no")], None)
        assert transport.prune(failed_keep_s=100, at_most=10) == 0
        clock.advance(61)
        assert transport.prune(failed_keep_s=100, at_most=10) == 1
        clock.advance(60)
        assert transport.prune(failed_keep_s=100, at_most=10) == 1
        assert transport.counts() == []

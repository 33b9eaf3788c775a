"""What a transport must do about messages that are run in one call."""

from __future__ import annotations

from cronq.messages.message import Ack, Release
from cronq.transports.exchange import Evidence
from tests.transports.contract import ME, Contract, ids, message


class BatchesContract(Contract):
    def gathering(self, clock, many, wait_s=10.0, **fields):
        return [message(gather=3, available_at=clock.now() + wait_s, **fields) for _ in range(many)]

    def test_messages_gather_until_they_are_so_many(self, transport, clock):
        sent = self.gathering(clock, 3)
        transport.enqueue(sent[:2])
        assert (transport.depth(["high"], 9), self.reserve(transport).messages) == (0, [])
        assert transport.find(sent[0].id).blocked_by == "batch:high:shop:send"
        transport.enqueue(sent[2:])
        got = self.reserve(transport, limit=1, position=7).messages
        assert [(one.id, one.position) for one in got] == list(zip(ids(sent), (7, 8, 9), strict=True))

    def test_messages_gather_until_the_first_has_waited_long_enough(self, transport, clock):
        (first,) = self.gathering(clock, 1)
        transport.enqueue([first])
        clock.advance(9)
        (second,) = self.gathering(clock, 1)
        transport.enqueue([second])
        assert transport.next_at(["high"]) == clock.now() + 1
        clock.advance(1)
        assert ids(self.reserve(transport).messages) == [first.id, second.id]

    def test_a_batch_comes_alone(self, transport, clock):
        plain, batch, later = message(priority=1), self.gathering(clock, 3), message()
        transport.enqueue([plain, *batch, later])
        first = self.reserve(transport)
        second = self.reserve(transport, position=2)
        third = self.reserve(transport, position=5)
        assert [ids(one.messages) for one in (first, second, third)] == [[plain.id], ids(batch), [later.id]]
        assert [one.more for one in (first, second, third)] == [True, True, False]

    def test_more_than_a_batch_come_as_several(self, transport, clock):
        transport.enqueue(self.gathering(clock, 7))
        sizes = [len(self.reserve(transport, position=number).messages) for number in (1, 4)]
        assert (sizes, transport.counts()[0].delayed) == ([3, 3], 1)

    def test_batches_are_of_one_task_and_queue(self, transport, clock):
        transport.enqueue(self.gathering(clock, 2) + self.gathering(clock, 2, task="shop:pack"))
        transport.enqueue(self.gathering(clock, 2, queue="low"))
        assert transport.depth(["high", "low"], 9) == 0

    def test_one_of_a_batch_that_failed_is_retried_alone(self, transport, clock):
        transport.enqueue(self.gathering(clock, 4))
        first, *others = self.reserve(transport).messages
        transport.exchange(ME, [Release(first, error="boom"), *map(Ack, others)], None)
        got = self.reserve(transport, position=4).messages
        assert [(one.id, one.gather) for one in got] == [(first.id, 0)]

    def test_a_batch_that_was_never_started_is_a_batch_again(self, transport, clock):
        sent = self.gathering(clock, 3)
        transport.enqueue(sent)
        clock.advance(20)
        got = self.reserve(transport).messages
        transport.exchange(ME, [Release(one, uncounted=True) for one in got], None)
        assert ids(self.reserve(transport, position=4).messages) == ids(sent)

    def test_a_batch_counts_for_a_rate_each(self, transport, clock):
        transport.enqueue(self.gathering(clock, 3))
        assert len(self.work(transport, {"queue:high": "2/m"})) == 2

    def test_a_batch_whose_consumer_died_in_its_call_is_retried_one_by_one(self, transport, clock):
        transport.enqueue(self.gathering(clock, 3))
        self.reserve(transport, position=5)
        transport.rescue(ME, Evidence("killed", finished_below=5, running=5, certain=True))
        got = self.reserve(transport, position=8).messages
        assert [(one.attempt, one.gather) for one in got] == [(2, 0)] * 3

"""What a transport must do about rates, and about tasks that are paused."""

from __future__ import annotations

from cronq.messages.message import Ack, State
from cronq.messages.rate import parse
from cronq.transports.exchange import Want
from tests.transports.contract import ME, Contract, ids, message


class RatesContract(Contract):
    def test_no_more_are_reserved_in_any_window_than_a_rate_allows(self, transport, clock):
        transport.enqueue([message() for _ in range(300)])
        times, position = [], 1
        for _ in range(400):
            got = self.work(transport, {"task:shop:send": "10/m"}, position=position)
            transport.exchange(ME, [Ack(one) for one in got], None)
            times += [clock.now()] * len(got)
            position += len(got)
            clock.advance(1.7)
        assert len(times) > 100
        assert max(sum(one <= at < one + 60 for at in times) for one in times) == 10

    def test_a_queue_may_have_a_rate_as_well_and_both_hold(self, transport):
        transport.enqueue([message() for _ in range(3)] + [message(task="shop:pack") for _ in range(3)])
        rates = {"task:shop:send": "1/m", "queue:high": "3/m"}
        assert [one.task for one in self.work(transport, rates)] == ["shop:send", "shop:pack", "shop:pack"]
        by = {record.message.id: record.blocked_by for record in transport.browse(State.BLOCKED)}
        assert sorted(by.values()) == ["rate:queue:high", "rate:task:shop:send", "rate:task:shop:send"]

    def test_what_a_rate_holds_back_is_counted_and_announced_when_its_time_comes(self, transport, clock):
        transport.enqueue([message() for _ in range(5)])
        assert len(self.work(transport, {"task:shop:send": "2/m"})) == 2
        assert transport.depth(["high"], 9) == 0
        at = transport.next_at(["high"])
        assert clock.now() + 60 < at < clock.now() + 62
        assert transport.next_at(["low"]) is None
        clock.wall = at
        assert (transport.depth(["high"], 9), transport.depth(["high"], 1), transport.depth(["low"], 9)) == (2, 1, 0)
        assert len(self.work(transport, {"task:shop:send": "2/m"}, position=3)) == 2

    def test_a_later_message_of_a_higher_priority_comes_before_those_a_rate_held_back(self, transport, clock):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/s"})
        high = message(priority=1)
        transport.enqueue([high])
        clock.advance(2)
        assert ids(self.work(transport, {"task:shop:send": "1/s"}, position=2)) == [high.id]

    def test_what_waits_for_a_rate_goes_on_waiting_for_it_until_it_has_room(self, transport):
        transport.enqueue([message(running_key="k", max_running=2) for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/5s"})
        assert len(self.work(transport, {"task:shop:send": "2/m"}, position=2)) == 1
        (held,) = transport.browse(State.BLOCKED)  # its running key has become full as well
        assert held.blocked_by == "rate:task:shop:send"

    def test_a_batch_whose_rate_has_run_out_does_not_keep_others_waiting(self, transport, clock):
        spent, first, batch = message(), message(), message(gather=1)
        transport.enqueue([spent])
        self.work(transport, {"task:shop:send": "1/5s"})
        transport.enqueue([first, batch])
        assert self.work(transport, {"task:shop:send": "1/5s"}, position=2) == []
        other = message(task="shop:pack")
        transport.enqueue([other])
        clock.advance(6)
        assert ids(self.work(transport, {"task:shop:send": "1/5s"}, position=2)) == [first.id, other.id]

    def test_a_rate_that_is_no_longer_in_force_holds_nothing_back(self, transport):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/d"})
        assert len(self.work(transport, position=2)) == 2

    def test_a_rate_that_was_raised_counts_what_was_spent(self, transport):
        transport.enqueue([message() for _ in range(9)])
        self.work(transport, {"task:shop:send": "2/m"})
        assert len(self.work(transport, {"task:shop:send": "5/m"}, position=3)) == 3

    def test_a_clock_that_is_set_back_holds_a_rate_up_for_one_window_at_most(self, transport, clock):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/m"})
        clock.advance(-86400)
        assert transport.depth(["high"], 9) == 1
        assert self.work(transport, {"task:shop:send": "1/m"}, position=2) == []
        assert transport.depth(["high"], 9) == 0
        clock.wall = transport.next_at(["high"])
        assert len(self.work(transport, {"task:shop:send": "1/m"}, position=2)) == 1

    def test_tasks_that_are_not_wanted_are_left_when_a_rate_allows_them(self, transport, clock):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/s"})
        clock.advance(2)
        want = Want(["high"], 1e12, 10, 2, ["shop:send"], {"task:shop:send": parse("1/s")})
        assert transport.exchange(ME, [], want).messages == []

    def test_a_paused_task_waits_until_it_is_resumed_and_others_go_on(self, transport):
        sent, other = message(), message(task="shop:pack")
        transport.enqueue([sent, other])
        transport.pause_task("shop:send", paused=True)
        assert ids(self.reserve(transport).messages) == [other.id]
        assert (transport.paused_tasks(), transport.find(sent.id).blocked_by) == (["shop:send"], "task:shop:send")
        transport.pause_task("shop:send", paused=False)
        assert ids(self.reserve(transport, position=2).messages) == [sent.id]
        assert transport.paused_tasks() == []

    def test_a_paused_task_is_no_queue(self, transport):
        transport.pause_task("shop:send", paused=True)
        assert transport.counts() == []

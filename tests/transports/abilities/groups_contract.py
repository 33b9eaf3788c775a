"""What a transport must do about groups."""

from __future__ import annotations

import pytest

from cronq.messages.message import Ack, Fail, Release, State
from tests.transports.contract import ME, Contract, message


class GroupsContract(Contract):
    def group(self, size=2, group_id="g", **fields):
        parts = [message(group_id=group_id, part=number) for number in range(size)]
        return parts, message("low", waits_for=group_id, **fields)

    @pytest.mark.parametrize("callback_first", [False, True])
    def test_a_callback_is_blocked_until_all_parts_are_done_and_then_finds_their_results(
        self, transport, callback_first
    ):
        parts, callback = self.group()
        transport.enqueue([callback, *parts] if callback_first else [*parts, callback])
        assert transport.find(callback.id).blocked_by == "group:g"
        first, second = self.reserve(transport).messages
        transport.exchange(ME, [Ack(second, b"2")], None)
        assert self.state_of(transport, callback) is State.BLOCKED
        transport.exchange(ME, [Ack(first, b"1")], None)
        assert self.state_of(transport, callback) is State.READY
        assert transport.results("g") == {0: b"1", 1: b"2"}

    def test_the_results_go_with_the_callback_and_not_before(self, transport, clock):
        parts, callback = self.group()
        transport.enqueue([*parts, callback])
        transport.exchange(ME, [Ack(one, b"1") for one in self.reserve(transport).messages], None)
        clock.advance(3600)
        (taken,) = self.reserve(transport, "low").messages
        transport.exchange(ME, [Release(taken, error="boom")], None)
        assert (transport.prune(60, 10), len(transport.results("g"))) == (0, 2)
        (taken,) = self.reserve(transport, "low", position=2).messages
        transport.exchange(ME, [Ack(taken)], None)
        assert (transport.prune(60, 10), transport.results("g")) == (2, {})

    def test_a_result_that_is_kept_anyway_stays_when_the_callback_has_gone(self, transport, clock):
        (part,), callback = self.group(1)
        transport.enqueue([part, callback])
        transport.exchange(ME, [Ack(one, b"1", 600) for one in self.reserve(transport).messages], None)
        transport.exchange(ME, [Ack(one) for one in self.reserve(transport, "low").messages], None)
        assert transport.find(part.id).keep_until == clock.now() + 600

    def test_a_part_that_failed_holds_the_callback_until_it_is_retried_or_removed(self, transport):
        parts, callback = self.group()
        transport.enqueue([*parts, callback])
        first, second = self.reserve(transport).messages
        transport.exchange(ME, [Ack(first), Fail(second, "no")], None)
        assert self.state_of(transport, callback) is State.BLOCKED
        transport.revive([second.id])
        transport.exchange(ME, [Ack(one) for one in self.reserve(transport, position=3).messages], None)
        assert self.state_of(transport, callback) is State.READY

    @pytest.mark.parametrize("way", ["remove", "flush", "prune"])
    def test_a_part_that_is_removed_is_waited_for_no_longer(self, transport, clock, way):
        (part,), callback = self.group(1)
        transport.enqueue([part, callback])
        if way == "prune":
            transport.exchange(ME, [Fail(one, "no") for one in self.reserve(transport).messages], None)
            clock.advance(100)
        {
            "remove": lambda: transport.remove([part.id]),
            "flush": lambda: transport.flush("high"),
            "prune": lambda: transport.prune(60, 10),
        }[way]()
        assert self.state_of(transport, callback) is State.READY

    def test_a_part_whose_next_step_is_the_same_part_goes_on(self, transport):
        (part,), callback = self.group(1)
        step = message(group_id="g", part=0)
        transport.enqueue([part, callback])
        (taken,) = self.reserve(transport).messages
        transport.exchange(ME, [Ack(taken, b"1", then=(step,))], None)
        assert (self.state_of(transport, callback), transport.results("g")) == (State.BLOCKED, {})
        transport.exchange(ME, [Ack(one, b"2") for one in self.reserve(transport, position=2).messages], None)
        assert (self.state_of(transport, callback), transport.results("g")) == (State.READY, {0: b"2"})

    def test_a_callback_without_parts_waits_for_nothing(self, transport):
        _, callback = self.group()
        transport.enqueue([callback])
        assert self.state_of(transport, callback) is State.READY

    def test_a_removed_callback_lets_the_results_go(self, transport):
        (part,), callback = self.group(1)
        transport.enqueue([part, callback])
        transport.exchange(ME, [Ack(one, b"1") for one in self.reserve(transport).messages], None)
        transport.remove([callback.id])
        assert transport.prune(60, 10) == 1

"""What a transport must do to single messages when people ask for it."""

from __future__ import annotations

import pytest

from cronq.messages.message import Continue, Fail, Release, State
from cronq.transports.exchange import Evidence
from tests.transports.contract import ME, OTHER, Contract, message


class ControlsContract(Contract):
    def test_a_failed_message_is_revived_with_all_attempts_before_it(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        transport.exchange(ME, [Fail(got, "no")], None)
        assert transport.revive([got.id]) == 1
        assert self.reserve(transport).messages[0].attempt == 1

    def test_remove_deletes_waiting_messages_only(self, transport):
        transport.enqueue([message(), message()])
        (working,) = self.reserve(transport, limit=1).messages
        (waiting,) = transport.browse(State.READY)
        assert transport.remove([working.id, waiting.message.id]) == 1
        assert transport.find(waiting.message.id) is None

    def test_cancel_deletes_what_waits_and_nothing_else(self, transport):
        working, failed, waiting = message(), message(), message()
        transport.enqueue([working, failed])
        _, bad = self.reserve(transport).messages
        transport.exchange(ME, [Fail(bad, "no")], None)
        later, blocked = message(available_at=2e9), message(waits_for="g")
        transport.enqueue([waiting, later, message(group_id="g"), blocked])
        assert transport.cancel([one.id for one in (working, failed, waiting, later, blocked)]) == 3
        assert [self.state_of(transport, one) for one in (waiting, later, blocked)] == [None] * 3
        assert [self.state_of(transport, one) for one in (working, failed)] == [State.RESERVED, State.FAILED]

    def test_a_cancelled_part_does_not_hold_up_its_group(self, transport):
        part, callback = message(group_id="g"), message(waits_for="g")
        transport.enqueue([part, callback])
        transport.cancel([part.id])
        assert self.state_of(transport, callback) is State.READY

    def test_only_what_is_reserved_is_asked_to_stop_and_its_holder_is_told(self, transport):
        working, waiting = message(), message()
        transport.enqueue([working, waiting])
        self.reserve(transport, limit=1)
        assert transport.ask_to_stop([working.id, waiting.id, "not an id"]) == {working.id: ME}
        assert (transport.asked_to_stop(ME), transport.asked_to_stop(OTHER)) == ([working.id], [])

    @pytest.mark.parametrize(
        "ending", [Release, lambda one: Release(one, 0.0, "error"), lambda one: Continue(one, b"1")]
    )
    def test_what_was_asked_to_stop_stays_so_until_it_is_revived(self, transport, ending):
        transport.enqueue([message()])
        (one,) = self.reserve(transport).messages
        transport.ask_to_stop([one.id])
        transport.exchange(ME, [ending(one)], None)
        (again,) = self.reserve(transport, position=2).messages
        assert again.stop
        assert transport.asked_to_stop(ME) == [one.id]
        transport.exchange(ME, [Fail(again, "stopped")], None)
        transport.revive([one.id])
        assert not self.reserve(transport, position=3).messages[0].stop

    @pytest.mark.parametrize("evidence", [Evidence("gone"), Evidence("gone", 1, None, True)])
    def test_a_rescue_ends_what_was_asked_to_stop(self, transport, evidence):
        transport.enqueue([message()])
        (one,) = self.reserve(transport).messages
        transport.ask_to_stop([one.id])
        assert transport.rescue(ME, evidence).failed == 1
        assert transport.find(one.id).error_class == "TaskStopped"

    def test_an_id_that_is_none_finds_nothing_and_changes_nothing(self, transport):
        assert transport.find("not an id") is None
        assert transport.revive(["not an id"]) == transport.remove(["not an id"]) == 0
        assert transport.amend("not an id", b"{}", b"") is False

    def test_revived_messages_can_be_spread_over_time(self, transport, clock):
        ids = [self.fail(transport, message()) for _ in range(3)]
        assert transport.revive(ids, every_s=10) == 3
        times = [transport.find(one).message.available_at - clock.now() for one in ids]
        assert times == [0, 10, 20]
        assert [transport.find(one).state for one in ids] == [State.READY, State.DELAYED, State.DELAYED]

    def test_spreading_can_begin_later(self, transport, clock):
        failed = self.fail(transport, message())
        transport.revive([failed], clock.now() + 30, 10)
        assert transport.next_at(["high"]) == clock.now() + 30

    def test_a_failed_message_can_be_given_other_arguments(self, transport):
        failed = self.fail(transport, message())
        assert transport.amend(failed, b'{"to":"eve"}', b'{"user":"ada"}') is True
        transport.revive([failed])
        (got,) = self.reserve(transport).messages
        assert (got.body, got.headers) == (b'{"to":"eve"}', b'{"user":"ada"}')

    def test_only_a_failed_message_can_be_given_other_arguments(self, transport):
        sent = message()
        transport.enqueue([sent])
        assert transport.amend(sent.id, b"{}", b"") is False
        assert transport.find(sent.id).message.body == sent.body

    def test_remove_can_be_held_to_one_state(self, transport):
        failed, ready = self.fail(transport, message()), message()
        transport.enqueue([ready])
        assert transport.remove([failed, ready.id], State.FAILED) == 1
        assert self.state_of(transport, ready) is State.READY

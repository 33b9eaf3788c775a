"""What every transport must do: take messages, have them reserved, take back those of the dead."""

from __future__ import annotations

import json

import pytest

from cronq.messages.follow import Follow, Step, written
from cronq.messages.message import UNTIL_DONE, Ack, Continue, Fail, Release, State
from cronq.transports.exchange import Evidence, Want
from tests.transports.contract import ME, OTHER, Contract, message


class QueuesContract(Contract):
    def test_an_enqueued_message_is_reserved_as_it_was_given(self, transport):
        sent = message(headers=b'{"user":"ada"}', priority=3, max_attempts=7, expires_at=2e9)
        transport.enqueue([sent])
        (got,) = self.reserve(transport).messages
        assert got == sent._replace(attempt=1, position=1)

    def test_terms_and_what_follows_come_back_as_they_were_given(self, transport):
        sent = message(
            unique_key="mail:ada",
            unique_until=UNTIL_DONE,
            running_key="ada",
            max_running=2,
            gather=50,
            follow=b'{"stages":[],"finished":[],"failed":[],"into":["x"]}',
            group_id="g",
            part=3,
            cursor=b"7",
        )
        transport.enqueue([sent])
        assert self.reserve(transport).messages == [sent._replace(attempt=1, position=1)]

    @pytest.mark.parametrize(
        "ends", [lambda one, then: Ack(one, then=then), lambda one, then: Fail(one, "no", then=then)]
    )
    def test_what_follows_an_outcome_is_enqueued_with_it(self, transport, ends):
        first, second = message(), message()
        transport.enqueue([first])
        (taken,) = self.reserve(transport).messages
        (following,) = self.reserve(transport, outcomes=[ends(taken, (second,))], position=2).messages
        assert following.id == second.id

    def test_what_follows_an_outcome_that_came_too_late_is_not_enqueued(self, transport):
        sent, second = message(), message()
        transport.enqueue([sent])
        (taken,) = self.reserve(transport).messages
        transport.rescue(ME, Evidence("killed"))
        assert transport.exchange(ME, [Ack(taken, then=(second,))], None).lost == [sent.id]
        assert self.record_of(transport, second.id) is None

    def test_a_slice_puts_its_message_back_with_a_cursor_and_all_attempts(self, transport, clock):
        sent = message()
        transport.enqueue([sent])
        (taken,) = self.reserve(transport).messages
        (again,) = self.reserve(transport, outcomes=[Release(taken, error="boom")], position=2).messages
        transport.exchange(ME, [Continue(again, b"[7]", 5.0)], None)
        record = self.record_of(transport, sent.id)
        assert (record.state, record.error, record.attempts) == (State.DELAYED, None, ())
        clock.advance(6)
        (next_slice,) = self.reserve(transport, position=3).messages
        assert (next_slice.id, next_slice.attempt, next_slice.cursor) == (sent.id, 1, b"[7]")

    def test_nothing_is_reserved_from_an_empty_queue(self, transport):
        assert self.reserve(transport) == ([], [], False)

    def test_the_attempt_counts_when_reserved(self, transport):
        transport.enqueue([message()])
        (first,) = self.reserve(transport).messages
        (second,) = self.reserve(transport, outcomes=[Release(first)], position=2).messages
        assert (first.attempt, second.attempt) == (1, 2)

    def test_messages_come_in_the_order_of_enqueueing(self, transport):
        sent = [message() for _ in range(5)]
        transport.enqueue(sent)
        assert [got.id for got in self.reserve(transport).messages] == [one.id for one in sent]

    def test_a_higher_priority_overtakes(self, transport):
        low, high = message(priority=-1), message(priority=10)
        transport.enqueue([low, high])
        assert [got.id for got in self.reserve(transport).messages] == [high.id, low.id]

    def test_queues_are_served_in_strict_order(self, transport):
        second, first = message("low"), message("high")
        transport.enqueue([second, first])
        assert [got.id for got in self.reserve(transport, "high", "low").messages] == [first.id, second.id]

    def test_other_queues_are_left_alone(self, transport):
        transport.enqueue([message("low")])
        assert self.reserve(transport, "high").messages == []

    def test_tasks_that_are_not_wanted_are_left_in_the_queue(self, transport):
        heavy, light = message(task="shop:import_all"), message()
        transport.enqueue([heavy, light])
        got = transport.exchange(ME, [], Want(["high"], 1e12, 10, 1, ["shop:import_all"]))
        assert [one.id for one in got.messages] == [light.id]
        assert self.state_of(transport, heavy) is State.READY

    def test_no_more_than_the_limit_is_reserved_and_more_is_told(self, transport):
        transport.enqueue([message() for _ in range(3)])
        got = self.reserve(transport, limit=2)
        assert (len(got.messages), got.more) == (2, True)

    def test_more_is_false_when_all_was_taken(self, transport):
        transport.enqueue([message() for _ in range(2)])
        assert self.reserve(transport, limit=2).more is False

    def test_a_reserved_message_is_not_reserved_again(self, transport):
        transport.enqueue([message()])
        self.reserve(transport)
        assert self.reserve(transport, holder=OTHER).messages == []

    def test_positions_number_the_reservations(self, transport):
        transport.enqueue([message() for _ in range(3)])
        assert [got.position for got in self.reserve(transport, position=7).messages] == [7, 8, 9]

    def test_an_acked_message_is_gone(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        assert self.reserve(transport, outcomes=[Ack(got)]).lost == []
        assert self.record_of(transport, got.id) is None

    def test_an_acked_message_with_a_retention_keeps_its_result(self, transport, clock):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        transport.exchange(ME, [Ack(got, b"42", keep_s=60)], None)
        record = self.record_of(transport, got.id)
        assert (record.state, record.result, record.finished_at) == (State.DONE, b"42", clock.now())

    def test_ack_and_reserve_happen_in_one_exchange(self, transport):
        transport.enqueue([message(), message()])
        (first,) = self.reserve(transport, limit=1).messages
        (second,) = self.reserve(transport, limit=1, position=2, outcomes=[Ack(first)]).messages
        assert second.id != first.id
        assert self.record_of(transport, first.id) is None

    def test_a_released_message_waits_for_its_delay(self, transport, clock):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        assert self.reserve(transport, outcomes=[Release(got, delay_s=30, error="boom")]).messages == []
        clock.advance(30)
        assert [again.id for again in self.reserve(transport).messages] == [got.id]

    def test_a_released_message_keeps_its_error_for_people(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        transport.exchange(ME, [Release(got, delay_s=30, error="boom")], None)
        assert self.record_of(transport, got.id).error == "boom"

    def test_an_uncounted_release_gives_the_attempt_back(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        (again,) = self.reserve(transport, outcomes=[Release(got, uncounted=True)], position=2).messages
        assert again.attempt == 1

    def test_a_failed_message_rests_in_the_failure_queue_with_its_body(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        assert self.reserve(transport, outcomes=[Fail(got, "no such address")]).messages == []
        record = self.record_of(transport, got.id)
        assert (record.state, record.message.body, record.error) == (State.FAILED, got.body, "no such address")

    @pytest.mark.parametrize("outcome", [Ack, Release, lambda got: Fail(got, "late")])
    def test_an_ending_that_comes_too_late_changes_nothing_and_is_told(self, transport, outcome):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        transport.rescue(ME, Evidence("killed"))
        self.reserve(transport, holder=OTHER, position=1)
        late = transport.exchange(ME, [outcome(got)], None)
        assert late.lost == [got.id]
        assert self.state_of(transport, got) is State.RESERVED

    def test_an_ending_of_an_earlier_reservation_of_the_same_holder_is_lost(self, transport):
        transport.enqueue([message()])
        (first,) = self.reserve(transport, position=1).messages
        self.reserve(transport, outcomes=[Release(first)], position=2)
        assert transport.exchange(ME, [Ack(first)], None).lost == [first.id]

    def test_a_delayed_message_is_not_ready_before_its_time(self, transport, clock):
        transport.enqueue([message(available_at=clock.now() + 10)])
        assert (self.reserve(transport).messages, transport.depth(["high"], 10)) == ([], 0)
        clock.advance(10)
        assert transport.depth(["high"], 10) == 1
        assert len(self.reserve(transport).messages) == 1

    @pytest.mark.parametrize("count", [2, 100, 101, 1200])
    def test_what_has_become_due_is_found_among_any_number_of_queues(self, transport, clock, count):
        queues = [f"q{number}" for number in range(count)]
        delayed = message(queues[-1], available_at=clock.now() + 5)
        transport.enqueue([delayed])
        transport.pause(queues[0], True)
        assert self.reserve(transport, *queues).messages == []
        clock.advance(5)
        want = Want(queues, 1e12, 10, 1, is_expected=True)
        assert [one.id for one in transport.exchange(ME, [], want).messages] == [delayed.id]

    def test_who_serves_no_queue_gets_nothing(self, transport):
        transport.enqueue([message()])
        assert transport.exchange(ME, [], Want([], 1e12, 10, 1, is_expected=True)).messages == []

    def test_who_is_told_that_messages_are_shown_sees_them(self, transport):
        depths = []
        sent = [message(), message(priority=3), message(unique_key="a")]
        for some in (sent[:1], sent[1:]):
            transport.enqueue(some, lambda absorbed: depths.append(transport.depth(["high"], 9)))
        assert depths == [1, 3]

    def test_who_is_told_that_messages_are_shown_learns_which_were_absorbed(self, transport):
        first, second = message(unique_key="a"), message(unique_key="a")
        told: list[dict[str, str]] = []
        transport.enqueue([first], told.append)
        transport.enqueue([second], told.append)
        assert told == [{}, {second.id: first.id}]

    def test_the_next_delayed_message_is_announced(self, transport, clock):
        transport.enqueue([message(available_at=clock.now() + 20), message(available_at=clock.now() + 10)])
        transport.enqueue([message("low", available_at=clock.now() + 5)])
        assert transport.next_at(["high"]) == clock.now() + 10
        assert transport.next_at(["other"]) is None

    def test_depth_counts_ready_messages_and_stops_where_told(self, transport):
        transport.enqueue([message() for _ in range(5)] + [message("low")])
        assert transport.depth(["high"], 100) == 5
        assert transport.depth(["high", "low"], 100) == 6
        assert transport.depth(["high", "low"], 3) == 3

    def test_messages_of_tasks_that_are_left_out_do_not_count(self, transport, clock):
        delayed = [message(task="shop.new", available_at=clock.now() + 5), message(available_at=clock.now() + 10)]
        transport.enqueue([message(), message(task="shop.new"), message(task="shop.newer"), *delayed])
        without = ["shop.new", "shop.newer"]
        assert (transport.depth(["high"], 100), transport.depth(["high"], 100, without)) == (3, 1)
        assert transport.depth(["high"], 1, without) == 1
        assert transport.next_at(["high"], without) == clock.now() + 10
        clock.advance(10)
        assert (transport.depth(["high"], 100), transport.depth(["high"], 100, without)) == (5, 2)
        assert transport.depth(["high"], 100, [*without, message().task]) == 0
        assert transport.next_at(["high"], [*without, message().task]) is None

    def test_nothing_is_taken_where_all_is_left_out(self, transport):
        transport.enqueue([message(task="shop.new")])
        exchange = transport.exchange(ME, [], Want(["high"], 1e12, 10, 1, ["shop.new"]))
        assert (exchange.messages, transport.held()) == ([], [])

    def test_holders_are_known_with_what_they_hold(self, transport):
        transport.enqueue([message(), message(), message()])
        self.reserve(transport, limit=2)
        self.reserve(transport, limit=1, holder=OTHER)
        assert [(held.holder, held.messages) for held in transport.held()] == [(ME, 2), (OTHER, 1)]

    def test_extending_moves_the_lapse_of_one_holder(self, transport):
        transport.enqueue([message(), message()])
        self.reserve(transport, limit=1)
        self.reserve(transport, limit=1, holder=OTHER)
        assert transport.extend(ME, 2e12) == 1
        assert {held.holder: held.until for held in transport.held()} == {ME: 2e12, OTHER: 1e12}

    def test_rescue_without_evidence_gives_everything_back_with_the_attempt_counted(self, transport):
        transport.enqueue([message(), message()])
        self.reserve(transport)
        assert transport.rescue(ME, Evidence("killed")) == (2, 0, 0)
        assert [again.attempt for again in self.reserve(transport, holder=OTHER).messages] == [2, 2]

    def test_rescue_acks_what_was_finished_and_uncounts_what_never_started(self, transport):
        sent = [message() for _ in range(3)]
        transport.enqueue(sent)
        self.reserve(transport, position=5)
        assert transport.rescue(ME, Evidence("killed", finished_below=6, running=6, certain=True)) == (2, 0, 1)
        again = {got.id: got.attempt for got in self.reserve(transport, holder=OTHER).messages}
        assert again == {sent[1].id: 2, sent[2].id: 1}

    def test_rescue_after_a_reboot_counts_what_may_have_started(self, transport):
        transport.enqueue([message(), message()])
        self.reserve(transport, position=5)
        transport.rescue(ME, Evidence("host gone", finished_below=5, running=5))
        assert [again.attempt for again in self.reserve(transport, holder=OTHER).messages] == [2, 2]

    def test_rescue_fails_a_message_whose_attempts_are_spent(self, transport):
        transport.enqueue([message(max_attempts=1)])
        (got,) = self.reserve(transport).messages
        assert transport.rescue(ME, Evidence("killed by signal 9")) == (0, 1, 0)
        record = self.record_of(transport, got.id)
        assert (record.state, record.error) == (State.FAILED, "killed by signal 9")

    def test_what_follows_a_failure_that_a_rescue_finds_is_told_the_names_that_programs_know(self, transport):
        callback = Step(message(task="shop:tell", id="", body=b"{}"), ("failure",))
        transport.enqueue([message(max_attempts=1, follow=written(Follow(failed=(callback,))))])
        self.reserve(transport)
        assert transport.rescue(ME, Evidence("killed")).failed == 1
        (told,) = self.reserve(transport, position=2).messages
        failure = json.loads(told.body)["failure"]
        assert (told.task, failure["task"], failure["queue"]) == ("shop:tell", "shop:send", "high")

    def test_rescue_never_fails_a_message_with_unlimited_attempts(self, transport):
        transport.enqueue([message(max_attempts=0)])
        self.reserve(transport)
        assert transport.rescue(ME, Evidence("killed")).failed == 0

    def test_rescue_leaves_other_holders_alone(self, transport):
        transport.enqueue([message()])
        self.reserve(transport)
        assert transport.rescue(OTHER, Evidence("killed")) == (0, 0, 0)

    def test_a_body_of_raw_bytes_survives(self, transport):
        transport.enqueue([message(body=b"\xff\x00 not json")])
        assert self.reserve(transport).messages[0].body == b"\xff\x00 not json"

"""What every transport must do. A transport's test module subclasses this and gives `make`."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest

from cronq.messages.attempts import KEPT, Cause
from cronq.messages.follow import Follow, Step, written
from cronq.messages.ids import new_id
from cronq.messages.message import UNTIL_DONE, Ack, Continue, Fail, Message, Release, State
from cronq.transports.exchange import Want
from cronq.transports.selection import Selection
from cronq.transports.verdict import Evidence
from tests.clocks import FakeClock
from tests.transports.schedules_contract import SchedulesContract

if TYPE_CHECKING:
    from pathlib import Path

    from cronq.transports.base import Transport

ME = "web1/high.0/100/5/boot0001"
OTHER = "web1/high.1/101/6/boot0001"


def message(queue: str = "high", **fields: object) -> Message:
    return Message(**{"id": new_id(), "queue": queue, "task": "shop:send", "body": b'{"to":"ada"}', **fields})  # type: ignore[arg-type]


class TransportContract(SchedulesContract, ABC):
    @abstractmethod
    def make(self, clock: FakeClock, tmp_path: Path) -> Transport: ...

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def transport(self, clock: FakeClock, tmp_path: Path):
        transport = self.make(clock, tmp_path)
        yield transport
        transport.close()

    def reserve(self, transport, *queues, limit=10, position=1, holder=ME, outcomes=()):
        return transport.exchange(holder, outcomes, Want(queues or ("high",), 1e12, limit, position))

    def state_of(self, transport, sent):
        record = transport.find(sent.id)
        return None if record is None else record.state

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
        assert transport.find(second.id) is None

    def test_a_slice_puts_its_message_back_with_a_cursor_and_all_attempts(self, transport, clock):
        sent = message()
        transport.enqueue([sent])
        (taken,) = self.reserve(transport).messages
        (again,) = self.reserve(transport, outcomes=[Release(taken, error="boom")], position=2).messages
        transport.exchange(ME, [Continue(again, b"[7]", 5.0)], None)
        record = transport.find(sent.id)
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
        assert transport.find(got.id) is None

    def test_an_acked_message_with_a_retention_keeps_its_result(self, transport, clock):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        transport.exchange(ME, [Ack(got, b"42", keep_s=60)], None)
        record = transport.find(got.id)
        assert (record.state, record.result, record.finished_at) == (State.DONE, b"42", clock.now())

    def test_ack_and_reserve_happen_in_one_exchange(self, transport):
        transport.enqueue([message(), message()])
        (first,) = self.reserve(transport, limit=1).messages
        (second,) = self.reserve(transport, limit=1, position=2, outcomes=[Ack(first)]).messages
        assert second.id != first.id
        assert transport.find(first.id) is None

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
        assert transport.find(got.id).error == "boom"

    def test_an_uncounted_release_gives_the_attempt_back(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        (again,) = self.reserve(transport, outcomes=[Release(got, uncounted=True)], position=2).messages
        assert again.attempt == 1

    def test_a_failed_message_rests_in_the_failure_queue_with_its_body(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        assert self.reserve(transport, outcomes=[Fail(got, "no such address")]).messages == []
        (record,) = transport.browse(State.FAILED)
        assert (record.message.body, record.error) == (got.body, "no such address")

    def test_a_failed_message_is_revived_with_all_attempts_before_it(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        transport.exchange(ME, [Fail(got, "no")], None)
        assert transport.revive([got.id]) == 1
        assert self.reserve(transport).messages[0].attempt == 1

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
        first, second, told = message(unique_key="a"), message(unique_key="a"), []
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
        self.reserve(transport)
        assert transport.rescue(ME, Evidence("killed by signal 9")) == (0, 1, 0)
        (record,) = transport.browse(State.FAILED)
        assert record.error == "killed by signal 9"

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

    def test_counts_tell_every_state_of_every_queue(self, transport, clock):
        transport.enqueue([message(), message(), message(), message(available_at=clock.now() + 9), message("low")])
        done, failed = self.reserve(transport, limit=2).messages
        transport.exchange(ME, [Ack(done, keep_s=9), Fail(failed, "no")], Want(["low"], 1e12, 1, 9))
        high, low = transport.counts()
        assert high[:6] == ("high", 1, 1, 0, 1, 1)
        assert low[:6] == ("low", 0, 0, 1, 0, 0)
        assert high.oldest_at is not None
        assert low.oldest_at is None

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

    def test_browse_filters_by_state_and_queue(self, transport):
        transport.enqueue([message(), message("low")])
        assert [record.message.queue for record in transport.browse(State.READY, "low")] == ["low"]
        assert len(transport.browse(State.READY)) == 2
        assert transport.browse(State.FAILED) == []

    def test_an_id_that_is_none_finds_nothing_and_changes_nothing(self, transport):
        assert transport.find("not an id") is None
        assert transport.revive(["not an id"]) == transport.remove(["not an id"]) == 0
        assert transport.amend("not an id", b"{}") is False

    def test_a_body_of_raw_bytes_survives(self, transport):
        transport.enqueue([message(body=b"\xff\x00 not json")])
        assert self.reserve(transport).messages[0].body == b"\xff\x00 not json"

    # what people look through and act on

    def fail(self, transport, sent, error_class="ValueError", text="boom", took_s=None):
        """Enqueue a message, and let its attempt fail for good."""
        transport.enqueue([sent])
        (got,) = self.reserve(transport, sent.queue, limit=1).messages
        transport.exchange(ME, [Fail(got, f"{error_class}: {text}", Cause(error_class, text, took_s))], None)
        return sent.id

    def found(self, transport, state=State.FAILED, **filters):
        return [record.message.id for record in transport.select(Selection(state, **filters))]

    def test_the_longest_failed_comes_first(self, transport, clock):
        later, sooner = message(), message()
        transport.enqueue([later, sooner])
        first, second = self.reserve(transport).messages
        transport.exchange(ME, [Fail(second, "no")], None)
        clock.advance(1)
        transport.exchange(ME, [Fail(first, "no")], None)
        assert self.found(transport) == [sooner.id, later.id]

    @pytest.mark.parametrize("filters", [{"task": "shop:pack"}, {"queue": "low"}, {"error_class": "KeyError"}])
    def test_a_selection_has_only_what_passes_each_filter(self, transport, filters):
        self.fail(transport, message())
        wanted = self.fail(transport, message("low", task="shop:pack"), "KeyError")
        assert self.found(transport, **filters) == [wanted]

    def test_all_filters_of_a_selection_hold_at_once(self, transport):
        self.fail(transport, message(task="shop:pack"))
        self.fail(transport, message("low"))
        assert self.found(transport, task="shop:pack", queue="low") == []

    def test_failures_are_selected_by_when_they_failed(self, transport, clock):
        old = self.fail(transport, message())
        clock.advance(60)
        self.fail(transport, message())
        assert self.found(transport, until=clock.now() - 30) == [old]

    def test_delayed_messages_are_selected_by_when_they_become_available(self, transport, clock):
        soon, late = message(available_at=clock.now() + 5), message(available_at=clock.now() + 50)
        transport.enqueue([soon, late])
        assert self.found(transport, State.DELAYED, until=clock.now() + 10) == [soon.id]

    @pytest.mark.parametrize("state", [state for state in State if state is not State.BLOCKED])
    def test_pages_of_a_selection_have_every_message_once_and_in_order(self, transport, clock, state):
        for number in range(7):
            later = clock.now() + 50 - number // 2 if state is State.DELAYED else 0.0
            transport.enqueue([message(["high", "low"][number % 2], priority=number % 3, available_at=later)])
        if state in {State.RESERVED, State.FAILED, State.DONE}:
            for number, got in enumerate(self.reserve(transport, "high", "low").messages):
                ending = {State.FAILED: Fail(got, "no"), State.DONE: Ack(got, keep_s=50 - number // 2)}.get(state)
                transport.exchange(ME, [ending] if ending else [], None)
                clock.advance(number % 2)
        whole = self.found(transport, state)
        pages, last = [], None
        while page := transport.select(Selection(state, after=last, at_most=2)):
            pages += [record.message.id for record in page]
            last = page[-1]
        assert len(whole) == len(set(whole)) == 7
        assert pages == whole

    def test_a_page_goes_on_after_a_message_that_is_gone(self, transport):
        first, second = self.fail(transport, message()), self.fail(transport, message())
        (last,) = transport.select(Selection(State.FAILED, at_most=1))
        transport.remove([first])
        assert self.found(transport, after=last) == [second]

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
        assert transport.amend(failed, b'{"to":"eve"}') is True
        transport.revive([failed])
        assert self.reserve(transport).messages[0].body == b'{"to":"eve"}'

    def test_only_a_failed_message_can_be_given_other_arguments(self, transport):
        sent = message()
        transport.enqueue([sent])
        assert transport.amend(sent.id, b"{}") is False
        assert transport.find(sent.id).message.body == sent.body

    def test_remove_can_be_held_to_one_state(self, transport):
        failed, ready = self.fail(transport, message()), message()
        transport.enqueue([ready])
        assert transport.remove([failed, ready.id], State.FAILED) == 1
        assert self.state_of(transport, ready) is State.READY

    # the attempts that failed

    def test_failed_attempts_are_remembered_with_where_and_why(self, transport, clock):
        failed = self.fail(transport, message(), "KeyError", "'ada'", 2.5)
        record = transport.find(failed)
        assert (record.error, record.error_class) == ("KeyError: 'ada'", "KeyError")
        assert record.attempts == ((1, clock.now(), "web1", "high.0", 2.5, "KeyError", "'ada'", None, ""),)

    def test_the_history_goes_on_through_retries_and_revivals(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        (got,) = self.reserve(transport, outcomes=[Release(got, 0, "one", cause=Cause("A", "one"))]).messages
        transport.exchange(ME, [Fail(got, "two", Cause("B", "two"))], None)
        transport.revive([got.id])
        (got,) = self.reserve(transport).messages
        transport.exchange(ME, [Fail(got, "three", Cause("C", "three"))], None)
        attempts = transport.find(got.id).attempts
        assert [(one.attempt, one.error_class) for one in attempts] == [(1, "A"), (2, "B"), (1, "C")]

    def test_a_release_without_an_error_is_no_failed_attempt(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        (got,) = self.reserve(transport, outcomes=[Release(got, 0, "boom", cause=Cause("A", "boom"))]).messages
        transport.exchange(ME, [Release(got, uncounted=True)], None)
        record = transport.find(got.id)
        assert (len(record.attempts), record.error, record.error_class) == (1, "boom", "A")

    def test_the_history_keeps_the_last_attempts_and_the_beginning_of_their_texts(self, transport):
        transport.enqueue([message(max_attempts=0)])
        outcomes = []
        for number in range(KEPT + 3):
            (got,) = self.reserve(transport, outcomes=outcomes).messages
            outcomes = [Release(got, 0, "trace", cause=Cause("A", f"{number} " + "x" * 600))]
        transport.exchange(ME, outcomes, None)
        attempts = transport.find(got.id).attempts
        assert [one.attempt for one in attempts] == list(range(4, KEPT + 4))
        assert {len(one.error) for one in attempts} == {500}

    def test_a_consumer_that_died_is_remembered_as_such(self, transport):
        transport.enqueue([message(max_attempts=1)])
        self.reserve(transport)
        transport.rescue(ME, Evidence("killed by signal 9"))
        (record,) = transport.select(Selection(State.FAILED, error_class="Killed"))
        assert [(one.slot, one.error) for one in record.attempts] == [("high.0", "killed by signal 9")]

    def test_an_ending_that_comes_too_late_is_not_remembered(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        transport.rescue(ME, Evidence("killed"))
        self.reserve(transport, holder=OTHER, position=9)
        transport.exchange(ME, [Fail(got, "late", Cause("Late", "late"))], None)
        assert [one.error_class for one in transport.find(got.id).attempts] == ["Killed"]

    def test_a_kept_result_has_no_error_but_remembers_the_attempts_before(self, transport):
        transport.enqueue([message()])
        (got,) = self.reserve(transport).messages
        (got,) = self.reserve(transport, outcomes=[Release(got, 0, "boom", cause=Cause("A", "boom"))]).messages
        transport.exchange(ME, [Ack(got, b"1", keep_s=60)], None)
        record = transport.find(got.id)
        assert (record.error, record.error_class, len(record.attempts)) == (None, None, 1)

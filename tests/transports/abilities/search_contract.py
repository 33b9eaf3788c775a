"""What a transport must say of single messages, and of the attempts at them that failed."""

from __future__ import annotations

import pytest

from cronq.messages.attempts import KEPT, Cause
from cronq.messages.message import Ack, Fail, Release, State
from cronq.transports.exchange import Evidence
from cronq.transports.selection import Selection
from tests.transports.contract import ME, OTHER, Contract, message


class SearchContract(Contract):
    def test_browse_filters_by_state_and_queue(self, transport):
        transport.enqueue([message(), message("low")])
        assert [record.message.queue for record in transport.browse(State.READY, "low")] == ["low"]
        assert len(transport.browse(State.READY)) == 2
        assert transport.browse(State.FAILED) == []

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

    def test_what_a_holder_runs_is_found_by_its_position_until_it_has_ended(self, transport):
        transport.enqueue([message(), message()])
        first, second = self.reserve(transport).messages
        assert [transport.held_at(ME, one.position) for one in (first, second)] == [first, second]
        assert (transport.held_at(OTHER, first.position), transport.held_at(ME, 99)) == (None, None)
        transport.exchange(ME, [Ack(first)], None)
        assert transport.held_at(ME, first.position) is None

    @pytest.mark.parametrize("filters", [{"task": "shop:pack"}, {"queue": "low"}, {"error_class": "KeyError"}])
    def test_a_selection_has_only_what_passes_each_filter(self, transport, filters):
        self.fail(transport, message())
        wanted = self.fail(transport, message("low", task="shop:pack"), "KeyError")
        assert self.found(transport, **filters) == [wanted]

    def test_all_filters_of_a_selection_hold_at_once(self, transport):
        self.fail(transport, message(task="shop:pack"))
        self.fail(transport, message("low"))
        assert self.found(transport, task="shop:pack", queue="low") == []

    def test_ids_are_found_by_their_first_digits_in_order(self, transport):
        ids = [f"0195b4c8{middle}{'0' * 23}" for middle in "abc"]
        transport.enqueue([message(id=one) for one in reversed(ids)])
        assert transport.starting_with("0195b4c8", 2) == ids[:2]
        assert transport.starting_with("0195b4c8b", 2) == ids[1:2]
        assert transport.starting_with(ids[2], 2) == ids[2:]
        assert transport.starting_with("0195b4c8d", 2) == []

    @pytest.mark.parametrize("digits", ["no digits", "0195b4c8  ", "0195b4c8" * 5])
    def test_what_is_no_beginning_of_an_id_finds_none(self, transport, digits):
        transport.enqueue([message(id="0195b4c8" * 4)])
        assert transport.starting_with(digits, 2) == []

    def test_a_tally_counts_by_queue_task_and_class_and_has_the_latest_time(self, transport, clock):
        self.fail(transport, message(), "KeyError")
        clock.advance(5)
        self.fail(transport, message(), "KeyError")
        self.fail(transport, message(), "OSError")
        self.fail(transport, message("low", task="shop:pack"), "KeyError")
        high, task = message().queue, message().task
        assert set(transport.statistics(Selection(State.FAILED))) == {
            (high, task, "KeyError", 2, clock.now()),
            (high, task, "OSError", 1, clock.now()),
            ("low", "shop:pack", "KeyError", 1, clock.now()),
        }

    def test_a_tally_holds_to_the_filters_and_counts_no_more_than_it_may(self, transport):
        for _ in range(3):
            self.fail(transport, message(), "KeyError")
        transport.enqueue([message("low", task="shop:pack"), message("low")])
        assert [one.number for one in transport.statistics(Selection(State.FAILED, at_most=2))] == [2]
        (found,) = transport.statistics(Selection(State.READY, "low", "shop:pack"))
        assert found[:4] == ("low", "shop:pack", None, 1)

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
        outcomes: list[Release] = []
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

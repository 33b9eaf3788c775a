"""What a transport must do about schedules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from cronq.messages.attempts import KILLED, Cause
from cronq.messages.message import Ack, Continue, Fail, Message, Release
from cronq.schedules.stored import CLOCK_WAS_WRONG_S, Fired, Firing, StoredSchedule
from cronq.transports.exchange import Evidence
from tests.making import message
from tests.transports.contract import ME, Contract

if TYPE_CHECKING:
    from typing import Unpack

    from tests.making import MessageFields


def schedule(name: str = "nightly", source: str = "code", **fields: Any) -> StoredSchedule:
    known: dict[str, Any] = {
        "declared": "x",
        "timing": "0 3 * * * UTC",
        "spec": b'{"task":"shop:send"}',
        "next_at": 1e9 + 60,
        **fields,
    }
    return StoredSchedule(source, name, **known)


def run_of(name: str = "nightly", **fields: Unpack[MessageFields]) -> Message:
    known: MessageFields = {"headers": json.dumps({"schedule": name, "due_at": "..."}).encode(), **fields}
    return message(**known)


class StoredSchedulesContract(Contract):
    def test_a_declared_schedule_is_stored_as_it_is(self, transport):
        given = schedule()
        transport.declare("code", [given])
        assert transport.schedules() == [given]

    def test_schedules_are_listed_by_name(self, transport):
        transport.declare("code", [schedule("b"), schedule("a")])
        transport.declare("config", [schedule("b", "config")])
        assert [one[:2] for one in transport.schedules()] == [("code", "a"), ("code", "b"), ("config", "b")]

    def test_a_schedule_that_its_source_no_longer_declares_is_gone(self, transport):
        transport.declare("code", [schedule("a"), schedule("b")])
        transport.declare("config", [schedule("c", "config")])
        transport.declare("code", [schedule("b")])
        assert [one.name for one in transport.schedules()] == ["b", "c"]

    def test_declaring_again_keeps_the_next_time_and_takes_over_the_rest(self, transport):
        transport.declare("code", [schedule()])
        transport.declare("code", [schedule(next_at=2e9, spec=b"{}", declared="y")])
        assert transport.schedules() == [schedule(spec=b"{}", declared="y")]

    def test_another_timing_takes_over_the_next_time_as_well(self, transport):
        transport.declare("code", [schedule()])
        changed = schedule(next_at=2e9, timing="0 4 * * * UTC")
        transport.declare("code", [changed])
        assert transport.schedules() == [changed]

    def test_a_schedule_that_was_refused_begins_anew_when_it_is_right(self, transport):
        transport.declare("code", [schedule(next_at=None, refused="no task")])
        transport.declare("code", [schedule()])
        assert transport.schedules() == [schedule()]

    def test_a_fired_schedule_has_its_message_and_its_next_time(self, transport, clock):
        stored, sent = schedule(), message()
        transport.declare("code", [stored])
        assert transport.fire(Firing(stored, 1e9 + 120, [sent])) is Fired.ENQUEUED
        (after,) = transport.schedules()
        assert after == stored._replace(next_at=1e9 + 120, last_at=clock.now(), last_message_id=sent.id)
        assert [one.id for one in self.reserve(transport).messages] == [sent.id]

    def test_two_that_fire_the_same_time_fire_once(self, transport):
        stored = schedule()
        transport.declare("code", [stored])
        answers = [transport.fire(Firing(stored, 1e9 + 120, [message()])) for _ in range(2)]
        assert (answers, transport.depth(["high"], 5)) == ([Fired.ENQUEUED, Fired.BEATEN], 1)

    def test_a_schedule_that_is_gone_does_not_fire(self, transport):
        assert transport.fire(Firing(schedule(), 2e9, [message()])) is Fired.BEATEN
        assert transport.depth(["high"], 5) == 0

    def test_skipped_runs_move_the_next_time_only(self, transport):
        transport.declare("code", [schedule()])
        assert transport.fire(Firing(schedule(), 2e9, [])) is Fired.DROPPED
        assert transport.schedules() == [schedule(next_at=2e9)]

    def test_a_firing_whose_messages_cannot_be_stored_changes_nothing(self, transport):
        stored = schedule()
        transport.declare("code", [stored])
        with pytest.raises((TypeError, ValueError, AttributeError)):
            transport.fire(Firing(stored, 2e9, [message(id="no id", available_at=cast("float", None))]))
        assert transport.schedules() == [stored]

    def test_a_time_found_by_a_clock_that_was_far_ahead_is_found_anew(self, transport, clock):
        stored = schedule()
        transport.declare("code", [stored])
        clock.advance(9 * CLOCK_WAS_WRONG_S)
        transport.fire(Firing(stored, 1e9 + 10 * CLOCK_WAS_WRONG_S, [message()]))
        clock.advance(-9 * CLOCK_WAS_WRONG_S)
        transport.declare("code", [schedule(next_at=1e9 + 60)])
        assert transport.schedules()[0].next_at == 1e9 + 60

    def test_a_clock_that_is_set_back_a_little_changes_no_next_time(self, transport, clock):
        stored = schedule()
        transport.declare("code", [stored])
        transport.fire(Firing(stored, 1e9 + 7200, [message()]))
        clock.advance(-3600)
        transport.declare("code", [schedule(next_at=1e9 + 60)])
        assert transport.schedules()[0].next_at == 1e9 + 7200

    def test_one_name_can_be_declared_and_forgotten_without_the_others_of_its_source(self, transport):
        transport.declare("runtime", [schedule("a", "runtime"), schedule("b", "runtime")])
        transport.declare("runtime", [schedule("c", "runtime")], only=["c"])
        transport.declare("runtime", [schedule("b", "runtime", spec=b"{}")], only=["b"])
        transport.declare("runtime", [], only=["a"])
        assert [(one.name, one.spec == b"{}") for one in transport.schedules()] == [("b", True), ("c", False)]

    def test_what_a_program_added_survives_declarations_of_code_and_configuration(self, transport):
        transport.declare("runtime", [schedule("a", "runtime")])
        transport.declare("code", [])
        transport.declare("config", [])
        assert [one.name for one in transport.schedules()] == ["a"]

    def test_a_revised_schedule_is_stored_whole(self, transport):
        transport.declare("code", [schedule()])
        new = schedule(next_at=None, refused="no zone", failures=3)
        assert transport.revise(schedule(), new)
        assert transport.schedules() == [new]

    @pytest.mark.parametrize("known", [{"next_at": 5.0}, {"name": "gone"}, {"next_at": None}])
    def test_a_schedule_that_was_changed_meanwhile_is_not_revised(self, transport, known):
        transport.declare("code", [schedule()])
        assert not transport.revise(schedule(**known), schedule(failures=3))
        assert transport.schedules() == [schedule()]

    # no overlap

    def fired(self, transport, sent, overlaps=False):
        """Fire the one schedule again, with this message."""
        (stored,) = transport.schedules()
        return transport.fire(Firing(stored, (stored.next_at or 0) + 60, [sent], overlaps))

    def test_nothing_is_enqueued_while_the_last_run_waits(self, transport):
        transport.declare("code", [schedule()])
        first = run_of()
        assert [self.fired(transport, one) for one in (first, run_of(), run_of())] == [
            Fired.ENQUEUED,
            Fired.SKIPPED,
            Fired.SKIPPED,
        ]
        (stored,) = transport.schedules()
        assert (stored.last_message_id, stored.skipped, stored.next_at) == (first.id, 2, 1e9 + 240)
        assert transport.depth(["high"], 5) == 1

    @pytest.mark.parametrize(
        "outcome",
        [
            lambda got: None,
            lambda got: Release(got, delay_s=500, error="boom"),
            lambda got: Continue(got, b"1"),
        ],
        ids=["running", "to be retried", "goes on in slices"],
    )
    def test_nothing_is_enqueued_while_the_last_run_goes_on(self, transport, outcome):
        transport.declare("code", [schedule()])
        self.ran(transport, outcome)
        assert self.fired(transport, run_of()) is Fired.SKIPPED

    @pytest.mark.parametrize(
        "outcome",
        [Ack, lambda got: Ack(got, b"1", 500), lambda got: Fail(got, "boom")],
        ids=["acked", "kept", "failed"],
    )
    def test_the_next_run_is_enqueued_once_the_last_one_is_over(self, transport, outcome):
        transport.declare("code", [schedule()])
        self.fired(transport, run_of())
        (got,) = self.reserve(transport).messages
        self.fired(transport, run_of())
        self.reserve(transport, outcomes=[outcome(got)])
        assert self.fired(transport, last := run_of()) is Fired.ENQUEUED
        (stored,) = transport.schedules()
        assert (stored.last_message_id, stored.skipped) == (last.id, 0)

    def test_a_run_that_a_person_removed_stands_in_nobodys_way(self, transport):
        transport.declare("code", [schedule()])
        self.fired(transport, sent := run_of())
        transport.remove([sent.id])
        assert self.fired(transport, run_of()) is Fired.ENQUEUED

    def test_runs_may_overlap_when_asked_for(self, transport):
        transport.declare("code", [schedule()])
        assert [self.fired(transport, run_of(), overlaps=True) for _ in range(2)] == [Fired.ENQUEUED] * 2
        assert transport.depth(["high"], 5) == 2

    def test_one_that_rests_can_be_run_by_a_person_and_rests_on(self, transport):
        transport.declare("code", [schedule(next_at=None, refused="never comes")])
        assert self.fired(transport, run_of()) is Fired.ENQUEUED
        assert transport.schedules()[0].next_at is None

    # how runs end

    def ran(self, transport, end, sent=None, holder=ME):
        """Fire the one schedule, and let its message end."""
        sent = sent or run_of(max_attempts=1)
        self.fired(transport, sent, overlaps=True)
        (got,) = self.reserve(transport, holder=holder).messages
        outcome = end(got)
        if outcome is not None:
            transport.exchange(holder, [outcome], None)
        return transport.schedules()[0]

    def failing(self, got):
        return Fail(got, "boom", Cause("ValueError", "boom"))

    def test_the_result_of_the_last_run_is_kept_after_its_message_is_gone(self, transport):
        transport.declare("code", [schedule()])
        assert self.ran(transport, Ack)[10:14] == (0, 0, "done", None)
        assert self.ran(transport, self.failing)[10:14] == (1, 0, "failed", "ValueError")

    def test_a_new_run_has_no_result_yet(self, transport):
        transport.declare("code", [schedule()])
        self.ran(transport, self.failing)
        self.fired(transport, run_of())
        assert transport.schedules()[0][10:14] == (1, 0, None, None)

    def test_an_attempt_that_is_made_again_is_no_result(self, transport):
        transport.declare("code", [schedule()])
        after = self.ran(transport, lambda got: Release(got, delay_s=60, error="boom"))
        assert (after.failures, after.last_result) == (0, None)

    def test_a_run_that_kills_its_consumer_counts_as_failed_when_it_is_rescued(self, transport):
        transport.declare("code", [schedule()])
        self.ran(transport, lambda got: None)
        transport.rescue(ME, Evidence("killed by signal 9"))
        (after,) = transport.schedules()
        assert (after.failures, after.last_result, after.last_error) == (1, "failed", KILLED)

    def test_a_run_that_was_finished_when_its_consumer_died_counts_as_done(self, transport):
        transport.declare("code", [schedule(failures=2)])
        self.ran(transport, lambda got: None)
        transport.rescue(ME, Evidence("killed", finished_below=2, certain=True))
        assert transport.schedules()[0][10:14] == (0, 0, "done", None)

    def test_an_ending_that_comes_too_late_is_no_result(self, transport):
        transport.declare("code", [schedule()])
        self.fired(transport, run_of(max_attempts=5))
        (got,) = self.reserve(transport).messages
        transport.rescue(ME, Evidence("killed"))
        transport.exchange(ME, [self.failing(got)], None)
        assert transport.schedules()[0].failures == 0

    def test_it_stops_after_so_many_failures_in_a_row(self, transport, clock):
        transport.declare("code", [schedule(stop_after=3)])
        ends = [self.failing, self.failing, Ack, self.failing, self.failing, self.failing]
        stops = [self.ran(transport, end).stopped_at for end in ends]
        assert stops == [None, None, None, None, None, clock.now()]
        (stopped,) = transport.schedules()
        assert (stopped.next_at, stopped.failures) == (None, 3)
        assert "schedule nightly: has stopped after 3 failed runs in a row (ValueError): " in stopped.trouble

    def test_it_never_stops_unless_asked_to(self, transport):
        transport.declare("code", [schedule()])
        assert [self.ran(transport, self.failing).stopped_at for _ in range(20)] == [None] * 20

    def test_one_that_has_stopped_stays_so_when_it_is_declared_as_before(self, transport):
        transport.declare("code", [schedule(stop_after=1)])
        stopped = self.ran(transport, self.failing)
        transport.declare("code", [schedule(stop_after=1)])
        assert transport.schedules() == [stopped]

    def test_one_that_has_stopped_begins_anew_when_it_is_declared_otherwise(self, transport):
        transport.declare("code", [schedule(stop_after=1)])
        self.ran(transport, self.failing)
        transport.declare("code", [schedule(stop_after=1, declared="y", next_at=2e9)])
        (anew,) = transport.schedules()
        assert (anew.next_at, anew.failures, anew.stopped_at) == (2e9, 0, None)

    def test_other_messages_count_for_no_schedule(self, transport):
        transport.declare("code", [schedule(stop_after=1)])
        others = [message(), message(headers=b'{"schedule": 5}'), run_of("other"), message(headers=b'["schedule"]')]
        transport.enqueue([*others, message(headers=b'{"schedule": "nigh')])
        got = self.reserve(transport).messages
        transport.exchange(ME, [self.failing(one) for one in got], None)
        assert (len(got), transport.schedules()) == (5, [schedule(stop_after=1)])

from __future__ import annotations

import pytest

from cronq.config.settings import Inline
from cronq.supervisor.inline_decision import MARGIN_S, NOTHING, Facts, decide

QUEUES = ("normal", "low")
ALONE = Facts(QUEUES, is_page_view=True, enqueued=0, elapsed_s=0.0, answers_early=True)


def test_nothing_is_done_while_a_consumer_looks_at_the_queues():
    assert decide(ALONE._replace(queues=()), Inline()) == NOTHING


def test_nothing_is_done_when_inline_work_is_switched_off():
    assert decide(ALONE, Inline(mode="off")) == NOTHING


@pytest.mark.parametrize("mode", ["auto", "spawn"])
def test_a_process_with_old_code_only_starts_consumers(mode):
    decision = decide(ALONE._replace(is_outdated=True), Inline(mode=mode))
    assert (decision.budget_s, decision.fallback_s, decision.spawns) == (0.0, 0.0, True)


def test_a_process_with_old_code_that_may_start_none_does_nothing():
    assert decide(ALONE._replace(is_outdated=True), Inline(mode="inline")) == NOTHING


def test_auto_runs_a_slice_then_starts_a_consumer_and_falls_back_to_the_whole_time():
    assert decide(ALONE, Inline()) == (QUEUES, 1.0, None, True, 30.0 - MARGIN_S)


def test_inline_never_starts_a_process():
    decision = decide(ALONE, Inline(mode="inline", time_limit_s=10))
    assert decision == (QUEUES, 10.0, None, False, 0.0)


def test_spawn_never_works_inline():
    decision = decide(ALONE, Inline(mode="spawn"))
    assert (decision.budget_s, decision.spawns, decision.fallback_s) == (0.0, True, 0.0)


def test_a_request_that_is_no_page_view_runs_as_many_messages_as_it_enqueued():
    assert decide(ALONE._replace(is_page_view=False, enqueued=3), Inline()).messages == 3


def test_a_request_that_is_no_page_view_and_enqueued_nothing_does_nothing():
    assert decide(ALONE._replace(is_page_view=False), Inline()) == NOTHING


def test_a_visitor_who_would_wait_waits_a_second_at_most():
    decision = decide(ALONE._replace(answers_early=False), Inline(mode="inline"))
    assert decision.budget_s == 1.0


def test_work_ends_before_the_server_ends_the_worker():
    decision = decide(ALONE._replace(elapsed_s=20.0), Inline(mode="inline", request_timeout_s=30.0))
    assert decision.budget_s == 30.0 - 20.0 - MARGIN_S


def test_a_request_that_has_used_up_its_time_does_nothing_inline():
    assert decide(ALONE._replace(elapsed_s=29.0), Inline(mode="inline")).is_nothing


def test_a_request_that_has_used_up_its_time_still_starts_a_consumer():
    decision = decide(ALONE._replace(elapsed_s=29.0), Inline())
    assert (decision.budget_s, decision.spawns) == (0.0, True)

"""Chains, groups, failure callbacks, outboxes of tasks, and slices, on queues in memory."""

from __future__ import annotations

import os

import click
import pytest
from click.testing import CliRunner

from cronq import RESULT, Context, Failure, GiveUp, NoResult, Retry, UsageError, WaitTimeout
from cronq.messages.message import State
from tests.consumer.crew import Crew


@pytest.fixture
def crew():
    return Crew()


def run_all(crew, most=60):
    for _ in range(most):
        crew.step()


def made(crew):
    def add(one: int, two: int) -> int:
        crew.ran.append((one, two))
        return one + two

    def total(values: list[int]) -> int:
        crew.ran.append(values)
        return sum(values)

    return crew.task(add), crew.task(total)


def test_a_result_is_the_argument_of_the_next_step(crew):
    add, _ = made(crew)
    ref = crew.app.chain(add.call(1, 2), add.call(RESULT, 10), add.call(RESULT, two=100)).enqueue()
    assert str(ref.progress) == "0 of 3 done"
    run_all(crew)
    assert crew.ran == [(1, 2), (3, 10), (13, 100)]
    assert (ref.status, str(ref.progress)) == ("done", "3 of 3 done")


def test_a_chain_stops_at_a_failure_and_goes_on_when_it_is_retried(crew):
    add, _ = made(crew)
    broken = [True]

    def doubt(value: int) -> int:
        if broken:
            raise GiveUp("no")
        return value

    ref = crew.app.chain(add.call(1, 2), crew.task(doubt).call(RESULT), add.call(RESULT, 1)).enqueue()
    run_all(crew)
    assert (ref.status, crew.ran) == ("failed", [(1, 2)])
    broken.clear()
    crew.transport.revive(ref.ids)
    run_all(crew)
    assert (ref.status, crew.ran) == ("done", [(1, 2), (3, 1)])


def test_a_group_gives_its_results_in_the_order_of_its_parts(crew):
    add, total = made(crew)
    crew.app.chain(app_group(crew, add), total.call(RESULT), add.call(RESULT, 0)).enqueue()
    run_all(crew)
    assert crew.ran[-2:] == [[3, 7, 11], (21, 0)]


def app_group(crew, add):
    return crew.app.group(add.call(1, 2), crew.app.chain(add.call(3, 0), add.call(RESULT, 4)), add.call(5, 6))


def test_a_callback_waits_for_a_failed_part(crew):
    add, total = made(crew)
    broken = [True]

    def doubt(value: int) -> int:
        if broken:
            raise GiveUp("no")
        return value

    ref = crew.app.group(add.call(1, 2), crew.task(doubt).call(5), then=total.call(RESULT)).enqueue()
    run_all(crew)
    assert (ref.status, crew.ran) == ("failed", [(1, 2)])
    broken.clear()
    crew.transport.revive(ref.ids)
    run_all(crew)
    assert crew.ran == [(1, 2), [3, 5]]


def test_groups_nest(crew):
    add, total = made(crew)
    inner = crew.app.group(add.call(1, 1), add.call(2, 2), then=total.call(RESULT))
    ref = crew.app.group(inner, add.call(5, 5), then=total.call(RESULT)).enqueue()
    run_all(crew)
    assert crew.ran[-1] == [6, 10]
    assert ref.status == "done"


def test_what_cannot_work_is_refused_before_anything_is_enqueued(crew):
    add, total = made(crew)
    circle: list[object] = [add.call(1, 2)]
    circle.append(circle)
    for wrong, why in (
        ([], "at least one step"),
        ([circle], "contains itself"),
        ([add.call(RESULT, 1)], "nothing comes before"),
        ([add.call(1, 2), add], "is no step"),
        ([add.call(1, 2), add.call("x", RESULT)], "one"),
        ([add.call(1, 2), total.call(list(range(100_000)))], "bytes"),
    ):
        with pytest.raises((UsageError, TypeError), match=why):
            crew.app.chain(*wrong).enqueue()
    assert crew.transport.counts() == []


def test_cancel_takes_away_what_waits(crew):
    add, total = made(crew)
    ref = crew.app.group(add.call(1, 2), add.call(1, 2), then=total.call(RESULT)).enqueue()
    assert ref.cancel()
    run_all(crew, 3)
    assert crew.ran == []


def test_a_failure_callback_is_told_what_failed(crew):
    told = []

    def tell(failure: Failure) -> None:
        told.append(failure)

    def fail(number: int) -> None:
        raise LookupError("gone")

    task = crew.task(fail, on_failure=crew.task(tell), retry=Retry(max_attempts=1))
    ref = task.enqueue(7)
    run_all(crew, 6)
    assert told == [
        Failure(ref.id, "shop.fail", "normal", {"number": 7}, "LookupError", "gone", 1, os.uname().nodename)
    ]


def test_a_callback_that_fails_calls_nobody(crew):
    def tell(failure: Failure) -> None:
        crew.ran.append(failure.task)
        raise GiveUp("mail server down")

    def fail() -> None:
        raise GiveUp("no")

    crew.app.on_failure(crew.task(tell))
    crew.task(fail).enqueue()
    run_all(crew, 10)
    assert crew.ran == ["shop.fail"]
    assert len(crew.transport.browse(State.FAILED)) == 2


def test_what_a_task_enqueues_goes_out_with_its_ack(crew):
    task = crew.task()

    def outer() -> None:
        task.enqueue("held")
        crew.ran.append([counts.ready for counts in crew.transport.counts()])

    crew.task(outer).enqueue()
    run_all(crew, 5)
    assert crew.ran == [[0], "held"]


def test_what_a_failed_attempt_enqueued_is_dropped_save_what_was_sent_immediately(crew):
    task = crew.task()

    def outer() -> None:
        task.enqueue("dropped")
        task.using(immediately=True).enqueue("sent")
        raise GiveUp("no")

    crew.task(outer).enqueue()
    run_all(crew, 5)
    assert crew.ran == ["sent"]


def test_a_task_that_runs_at_most_once_may_enqueue_others(crew):
    task = crew.task()

    def outer() -> None:
        task.enqueue("held")

    crew.task(outer, ack_first=True).enqueue()
    run_all(crew, 5)
    assert crew.ran == ["held"]


def test_work_goes_on_in_slices_with_a_cursor(crew):
    def count(context: Context) -> object:
        done = context.cursor or 0
        crew.ran.append((done, context.attempt))
        return None if done == 3 else context.continue_later(done + 1)

    ref = crew.task(count).enqueue()
    run_all(crew, 10)
    assert crew.ran == [(0, 1), (1, 1), (2, 1), (3, 1)]
    assert ref.status == "gone"


@pytest.mark.parametrize("cursor", [object(), {1: 2}, float("nan"), "x" * 70_000])
def test_a_cursor_that_would_not_come_back_is_refused(crew, cursor):
    def count(context: Context) -> object:
        return context.continue_later(cursor)

    crew.task(count, retry=Retry(max_attempts=1)).enqueue()
    run_all(crew, 3)
    (record,) = crew.transport.browse(State.FAILED)
    assert record.error_class == "UsageError"
    assert "the cursor" in record.error


@pytest.mark.parametrize(("code", "sent"), [(0, ["x"]), (1, [])])
def test_a_command_sends_what_it_enqueued_when_it_ends_well(crew: Crew, code, sent):
    task = crew.task()

    @click.command()
    @crew.app.outbox()
    def command() -> None:
        task.enqueue("x")
        raise SystemExit(code)

    CliRunner().invoke(command)
    run_all(crew, 2)
    assert crew.ran == sent


def test_a_part_that_is_gone_when_it_starts_is_refused(crew):
    add, total = made(crew)
    once = crew.task(lambda: None, ack_first=True)
    for parts in ([once.call()], [crew.app.chain(once.call(), add.call(1, 2))]):
        with pytest.raises(UsageError, match="ack_first=True: its message is gone when it starts"):
            crew.app.group(add.call(1, 2), *parts, then=total.call(RESULT)).enqueue()
    assert crew.transport.counts() == []


def test_steps_that_run_at_most_once_have_a_place_in_chains_and_after_groups(crew):
    add, _ = made(crew)

    def once(values: list[int]) -> int:
        crew.ran.append(values)
        return sum(values)

    then = crew.task(once, ack_first=True).call(RESULT)
    crew.app.chain(crew.app.group(add.call(1, 2), add.call(3, 4), then=then), add.call(RESULT, 1)).enqueue()
    run_all(crew)
    assert crew.ran == [(1, 2), (3, 4), [3, 7], (10, 1)]


def test_a_cancelled_step_ends_its_chain(crew):
    add, _ = made(crew)
    ref = crew.app.chain(add.call(1, 2), add.call(RESULT, 10)).enqueue()
    assert crew.transport.cancel(ref.ids[:1]) == 1
    run_all(crew)
    assert (crew.ran, crew.transport.counts()) == ([], [])


def test_a_cancelled_part_does_not_hold_up_its_group(crew):
    add, total = made(crew)
    ref = crew.app.group(add.call(1, 2), add.call(3, 4), then=total.call(RESULT)).enqueue()
    assert crew.transport.cancel(ref.ids[:1]) == 1
    run_all(crew)
    assert crew.ran == [(3, 4), [7]]


def test_cancelling_a_group_leaves_its_failed_parts_for_people(crew):
    add, total = made(crew)

    def doubt() -> int:
        raise GiveUp("no")

    ref = crew.app.group(crew.task(doubt).call(), add.call(1, 2), then=total.call(RESULT)).enqueue()
    run_all(crew, 4)
    assert ref.cancel()
    assert len(crew.transport.browse(State.FAILED)) == 1
    assert ref.status == "failed"


def test_the_result_of_a_chain_is_what_its_last_step_returned(crew):
    add = crew.task(adding, result_ttl_s=60)
    ref = crew.app.chain(add.call(1, 2), add.call(RESULT, 10)).enqueue()
    with pytest.raises(NoResult, match=r"no result yet, 0 of 2 done.*wait"):
        _ = ref.result
    run_all(crew)
    assert ref.wait(1).result == 13


def adding(one: int, two: int) -> int:
    return one + two


def test_the_result_of_a_group_is_that_of_its_then_or_those_of_its_parts(crew):
    add = crew.task(adding, result_ttl_s=60)
    total = crew.task(sum_of, result_ttl_s=60)
    whole = crew.app.group(add.call(1, 2), add.call(3, 4), then=total.call(RESULT)).enqueue()
    parts = crew.app.group(add.call(1, 2), crew.app.chain(add.call(3, 4), add.call(RESULT, 1))).enqueue()
    behind = crew.app.chain(crew.app.group(add.call(1, 2), add.call(3, 4)), total.call(RESULT)).enqueue()
    run_all(crew)
    assert (whole.result, parts.result, behind.result) == (10, [3, 8], 10)


def sum_of(values: list[int]) -> int:
    return sum(values)


def test_a_result_that_nobody_keeps_is_said_to_be_so(crew):
    add = crew.task(adding)
    ref = crew.app.chain(add.call(1, 2)).enqueue()
    run_all(crew)
    with pytest.raises(NoResult, match="result_ttl_s"):
        _ = ref.result


def test_a_failed_workflow_says_which_step_failed_and_why(crew):
    def doubt() -> int:
        raise GiveUp("no money")

    ref = crew.app.chain(crew.task(doubt).call(), crew.task(adding).call(RESULT, 1)).enqueue()
    run_all(crew)
    with pytest.raises(NoResult, match=r"doubt .*no money"):
        _ = ref.wait(1).result


def test_waiting_for_a_workflow_ends_in_time(crew):
    ref = crew.app.chain(crew.task(adding).call(1, 2)).enqueue()
    with pytest.raises(WaitTimeout, match="0 of 1 done"):
        ref.wait(0)

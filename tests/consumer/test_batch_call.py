"""Batch tasks in a consumer: one call for many messages, and an end for each of them."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from cronq import (
    RESULT,
    Context,
    Failure,
    GiveUp,
    PartlyFailed,
    Retry,
    TaskStopped,
    TaskTimeout,
    Unique,
    UsageError,
    events,
)
from cronq.consumer.foresight import LONG_S
from cronq.errors import ArgumentError, NoResult
from cronq.messages.ids import enqueued_at
from cronq.messages.message import State
from tests.consumer.batches import Batch, Indexed, waiting
from tests.making import message


def test_so_many_messages_are_run_in_one_call(crew, batch):
    batch.send(1, 2, 3, 4, 5)
    crew.step(2)
    assert batch.calls == [[1, 2, 3]]
    crew.clock.advance(2)
    crew.step(2)
    assert batch.calls == [[1, 2, 3], [4, 5]]
    assert crew.transport.counts() == []


def test_all_acks_of_a_batch_are_one_commit_which_reserves_the_next(crew, batch):
    batch.send(*range(6))
    crew.step(3)
    assert crew.transport.exchanges == [([], True), (["Ack"] * 3, True), (["Ack"] * 3, True)]


def test_a_batch_is_noted_by_its_first_message_and_with_the_end_of_the_call(crew):
    batch = Batch(crew, timeout_s=30)
    batch.send(1, 2, 3)
    crew.step()
    assert crew.post.notes == [(1, None), (1, crew.clock.monotonic() + 30)]


def test_a_batch_that_is_about_to_be_run_is_not_shared_with_others(crew, batch):
    """A consumer that the host had put to sleep before the call would have given back all but the first."""
    batch.send(1, 2, 3)
    crew.step()
    assert set(crew.countdowns) == {None, LONG_S}  # when others are called, who find nothing of it


def test_every_message_of_a_batch_is_counted(crew, batch):
    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({1: ValueError("boom")}))
    crew.step()
    assert (crew.tally.messages, crew.tally.failures) == (3, 1)


def test_what_failed_is_tried_again_alone_and_the_others_are_done(crew, batch, heard):
    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({1: ValueError("boom")}))
    crew.step()
    batch.inside = lambda items: None
    crew.step(2)
    assert batch.calls == [[1, 2, 3], [2]]
    assert crew.transport.counts() == []
    assert [name for name, _ in heard] == ["reserved"] * 3 + [
        "finished",
        "released",
        "finished",
        "reserved",
        "finished",
    ]
    assert repr(heard[4][1]) == "ValueError('boom')"


def test_partly_failed_may_be_returned(crew, batch):
    batch.send(1, 2, 3)
    batch.inside = lambda items: PartlyFailed({0: GiveUp("no")})
    crew.step(2)
    (record,) = crew.transport.browse(State.FAILED)
    assert (record.message.body, record.error_class) == (b'{"items":1}', "GiveUp")


def test_each_failure_meets_the_retry_policy_with_its_own_exception(crew):
    batch = Batch(crew, retry=Retry(5, delay_s=0, give_up_on=[KeyError]))
    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({0: KeyError("a"), 2: ValueError("b")}))
    crew.step(1)
    crew.consumer._hand_over()
    assert [one.error_class for one in crew.transport.browse(State.FAILED)] == ["KeyError"]
    assert waiting(crew) == [(1, 0)]


def test_the_poison_of_a_batch_ends_alone_in_the_failure_queue(crew, batch):
    def choke(items):
        if 2 in items:
            raise ValueError("poison")

    batch.inside = choke
    batch.send(1, 2, 3)
    crew.step(12)
    assert batch.calls == [[1, 2, 3], [1], [2], [2], [3]]
    (record,) = crew.transport.browse(State.FAILED)
    assert (record.message.body, record.message.attempt) == (b'{"items":2}', 3)
    assert crew.transport.counts()[0].failed == 1


def test_a_timeout_bounds_the_whole_call_and_fails_all(crew, batch):
    batch.send(1, 2, 3)
    batch.raises(TaskTimeout("took longer"))
    crew.step()
    crew.consumer._hand_over()
    assert waiting(crew) == [(1, 0)] * 3


def test_what_a_batch_enqueues_goes_with_one_ack(crew, batch):
    note = crew.task()
    batch.inside = lambda items: note.enqueue(len(items))
    batch.send(1, 2, 3)
    crew.step()
    assert crew.transport.counts()[0].ready == 0
    crew.step(2)
    assert crew.ran == [3]


def test_what_a_batch_enqueued_is_kept_when_some_failed_and_dropped_when_all_did(crew, batch):
    note = crew.task()

    def inside(items):
        note.enqueue(len(items))
        raise PartlyFailed(dict.fromkeys(range(min(len(items), failing)), GiveUp("no")))

    batch.inside = inside
    failing = 2
    batch.send(1, 2, 3)
    crew.step(3)
    failing = 3
    batch.send(4, 5, 6)
    crew.step(3)
    assert crew.ran == [3]
    assert crew.transport.counts()[0].failed == 5


def test_what_a_batch_enqueued_is_dropped_with_a_word_when_its_results_fit_no_next_step(crew, batch, heard):
    told = []
    events.listeners.append(lambda name, facts: told.append((name, facts.get("count"))))
    note = crew.task()

    def inside(items):
        note.enqueue(1)
        return len(items)

    batch.inside = inside
    for number in (1, 2, 3):
        crew.app.chain(batch.task.call(number), note.call(RESULT)).enqueue()
    crew.step(3)
    events.listeners.pop()
    assert ("dropped", 1) in told
    assert crew.transport.counts()[0].failed == 3
    assert crew.ran == []


def test_an_around_that_cannot_end_well_fails_all(crew, batch):
    @crew.app.around
    @contextmanager
    def transaction(context):
        yield
        raise OSError("no commit")

    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({0: ValueError("boom")}))
    crew.step()
    crew.consumer._hand_over()
    assert [one.error_class for one in crew.transport.browse(State.READY)] == ["ValueError", "OSError", "OSError"]


def test_a_callback_is_told_of_each_failure(crew):
    told = []

    def tell(failure: Failure) -> None:
        told.append(failure.arguments)

    batch = Batch(crew, on_failure=crew.task(tell))
    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({0: GiveUp("no"), 1: GiveUp("no")}))
    crew.step(4)
    assert told == [{"items": 1}, {"items": 2}]


def test_a_list_of_results_is_one_for_each(crew):
    batch = Batch(crew, result_ttl_s=60)
    batch.inside = lambda items: [item * 10 for item in items]
    refs = batch.send(1, 2, 3)
    crew.step(2)
    assert [ref.result for ref in refs] == [10, 20, 30]


def test_what_is_no_result_for_each_is_not_kept(crew, heard):
    batch = Batch(crew, result_ttl_s=60)
    batch.inside = len
    (ref, *_) = batch.send(1, 2, 3)
    crew.step(2)
    assert ref.status == "done"
    with pytest.raises(NoResult, match="was not kept"):
        _ = ref.result
    assert [error for name, error in heard if name == "result_not_kept"] == [
        "a batch task returns nothing, or a list of a result for each of its 3 items"
    ] * 3


def test_parts_of_a_group_may_be_run_in_one_call(crew, batch):
    def total(values: list[int]) -> None:
        crew.ran.append(values)

    batch.inside = lambda items: [item * 10 for item in items]
    crew.app.group(*(batch.task.call(number) for number in (1, 2, 3)), then=crew.task(total).call(RESULT)).enqueue()
    crew.step(4)
    assert (batch.calls, crew.ran) == ([[1, 2, 3]], [[10, 20, 30]])


def test_steps_of_chains_wait_for_one_another(crew, batch):
    first = crew.task(_doubled)
    for number in (1, 2):
        crew.app.chain(first.call(number), batch.task.call(RESULT)).enqueue()
    crew.step(3)
    assert batch.calls == []
    crew.clock.advance(2)
    crew.step(2)
    assert batch.calls == [[2, 4]]


def _doubled(number: int) -> int:
    return 2 * number


def test_a_lone_one_is_a_list_of_one(crew, batch):
    batch.inside = lambda items: [items[0] + 1]
    batch.send(1, delay_s=5)
    crew.clock.advance(5)
    crew.step(2)
    assert batch.calls == [[1]]


def test_partly_failed_of_a_lone_one_is_its_exception(crew, batch):
    batch.raises(PartlyFailed({0: GiveUp("no")}))
    batch.send(1, delay_s=5)
    crew.clock.advance(5)
    crew.step(2)
    assert crew.transport.browse(State.FAILED)[0].error_class == "GiveUp"


def test_an_index_that_is_none_is_a_failure_of_all(crew, batch):
    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({3: ValueError("boom")}))
    crew.step()
    crew.consumer._hand_over()
    (record, *others) = crew.transport.browse(State.READY)
    assert "PartlyFailed names the index 3 of 3 items" in record.error
    assert len(others) == 2


def test_a_batch_cannot_go_on_later(crew):
    def index(items: list[int], context: Context) -> object:
        return context.continue_later(1)

    task = crew.app.batch(size=2, name="shop.slices")(index)
    task.enqueue_many([((1,), {}), ((2,), {})])
    crew.step(2)
    assert [one.error_class for one in crew.transport.browse(State.FAILED)] == ["GiveUp"] * 2


def test_arounds_see_what_all_messages_have_in_common(crew):
    seen = []

    @crew.app.around
    @contextmanager
    def note(context):
        seen.append(context.headers)
        yield

    batch = Batch(crew)
    batch.send(1, headers={"language": "de", "user": "ada"})
    batch.send(2, 3, headers={"language": "de", "user": "bob"})
    crew.step()
    assert seen == [{"language": "de"}]


def test_an_around_leaves_in_peace_when_only_some_failed(crew):
    left = []

    @crew.app.around
    @contextmanager
    def transaction(context):
        try:
            yield
            left.append("commit")
        except BaseException:
            left.append("rollback")
            raise

    batch = Batch(crew)
    batch.raises(PartlyFailed({0: ValueError("boom")}))
    batch.send(1, 2, 3)
    crew.step()
    batch.raises(PartlyFailed(dict.fromkeys(range(3), ValueError("boom"))))
    batch.send(1, 2, 3)
    crew.step()
    assert left == ["commit", "rollback"]


def test_a_context_is_handed_over(crew):
    def index(items: list[int], context: Context) -> None:
        crew.ran.append((items, context.attempt))

    task = crew.app.batch(size=2, name="shop.told")(index)
    task.enqueue_many([((1,), {}), ((2,), {})])
    crew.step()
    assert crew.ran == [([1, 2], 1)]


def test_messages_of_a_batch_task_are_run_one_by_one_when_it_is_none_any_more(crew):
    sent = [message(task="shop.remember", body=b'{"value":%d}' % n, gather=3, available_at=9) for n in range(3)]
    crew.task()
    crew.transport.enqueue(sent)
    crew.step(4)
    assert (crew.ran, crew.transport.counts()) == ([0, 1, 2], [])


def test_a_batch_that_has_become_smaller_is_run_in_parts(crew):
    batch = Batch(crew, size=2)
    sent = [message(task="shop.index", body=b'{"items":%d}' % n, gather=5, available_at=9) for n in range(5)]
    crew.transport.enqueue(sent)
    crew.step(4)
    assert (batch.calls, crew.transport.counts()) == ([[0, 1], [2, 3], [4]], [])


def test_a_batch_is_stopped_when_all_of_its_messages_are(crew, batch):
    def all_are_stopped(items):
        running.append(crew.consumer._runner._stops.running)
        raise TaskStopped("as the alarm does when all of them are")

    running: list[object] = []
    batch.inside = all_are_stopped
    crew.task().enqueue(1)
    refs = batch.send(1, 2, 3)
    crew.step(3)
    assert running == [[ref.id for ref in refs]]
    assert [record.error_class for record in crew.transport.browse(State.FAILED)] == ["TaskStopped"] * 3


def test_a_batch_goes_on_when_one_of_its_messages_is_stopped_which_is_not_run_again(crew, batch):
    def one_is_stopped(items):
        crew.transport.ask_to_stop([refs[1].id])
        raise PartlyFailed(dict.fromkeys(range(3), ValueError("boom")))

    batch.inside = one_is_stopped
    refs = batch.send(1, 2, 3)
    crew.step()
    batch.inside = lambda items: None
    crew.step(3)
    assert batch.calls == [[1, 2, 3], [1], [3]]
    assert [record.message.id for record in crew.transport.browse(State.FAILED)] == [refs[1].id]


def test_a_message_class_is_dispatched_to_its_batch_handler(crew):
    def index(items: list[Indexed]) -> None:
        crew.ran.append(items)

    task = crew.app.batch(size=2, name="shop.index_all")(index)
    refs = [*crew.app.dispatch(Indexed(1)), *crew.app.dispatch(Indexed(2))]
    assert crew.app.definitions.queues_of(task) == ("high",)
    assert crew.transport.find(refs[0].id).message.queue == "high"
    crew.step()
    assert crew.ran == [[Indexed(1), Indexed(2)]]


def test_a_plain_call_takes_the_list(batch):
    batch.task([1, 2])
    assert batch.calls == [[1, 2]]


def test_an_item_of_another_type_is_refused_where_it_is_enqueued(batch):
    with pytest.raises(ArgumentError, match=r"argument 'items': Expected `int`, got `str`"):
        batch.task.enqueue("one")


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"size": 1}, r"size = 1: must be a whole number from 2 to 1000; for one at a time take @app.task"),
        ({"size": 1001}, r"size = 1001"),
        ({"size": True}, r"size = True"),
        ({"wait_s": -1}, r"wait_s = -1: must be seconds, 0 or more"),
        ({"wait_s": float("nan")}, r"wait_s = nan"),
        ({"isolated": True}, r"isolated=True gives every message a process of its own"),
        ({"ack_first": True}, r"ack_first=True acks one message before it is run"),
        ({"debounce_s": 1.0}, r"debounce_s lets every message wait for its own time"),
        ({"max_running": 2}, r"max_running = 2 counts messages, so no batch could have the size 3"),
        ({"timeout_s": -1}, r"timeout_s = -1"),
    ],
)
def test_what_makes_no_sense_is_refused(crew, options, wrong):
    with pytest.raises(UsageError, match=wrong):
        Batch(crew, **options)


def two(items: list[int], more: int) -> None: ...
def none() -> None: ...
def plain(items: int) -> None: ...
def bare(items: list) -> None: ...  # type: ignore[type-arg]  # that is the point
def rest(*items: list[int]) -> None: ...
def default(items: list[int] = []) -> None: ...  # noqa: B006


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        (two, "this one has 2"),
        (none, "this one has 0"),
        (plain, "must be a list that says of what"),
        (bare, "must be a list that says of what"),
        (rest, "must be a list that says of what"),
        (default, "cannot have a default"),
    ],
)
def test_a_function_that_takes_no_list_is_refused(crew, function, wrong):
    with pytest.raises(UsageError, match=wrong):
        crew.app.batch(size=2)(function)


@pytest.mark.parametrize(
    ("failures", "kind"),
    [({}, ValueError), ({-1: ValueError()}, ValueError), ({0: "boom"}, TypeError), ({"0": ValueError()}, TypeError)],
)
def test_partly_failed_refuses_what_says_nothing(failures, kind):
    with pytest.raises(kind):
        PartlyFailed(failures)


def test_parameters_may_be_by_position_and_behind_the_context(crew):
    def by_position(items: list[int], /, context: Context) -> None:
        crew.ran.append(items)

    def behind(context: Context, items: list[int]) -> None:
        crew.ran.append(items)

    for function in (by_position, behind):
        task = crew.app.batch(size=2, name=f"shop.{function.__name__}")(function)
        task.enqueue_many([((1,), {}), ((2,), {})])
        task.using(delay_s=1).enqueue(3)
    crew.clock.advance(1)
    crew.step(6)
    assert sorted(crew.ran) == [[1, 2], [1, 2], [3], [3]]


def test_a_batch_counts_as_one_run_for_what_a_web_process_has_time_for(crew, batch):
    batch.inside = lambda items: crew.clock.advance(7)
    batch.send(1, 2, 3)
    crew.step()
    assert crew.consumer._runner.durations.p95() == {"shop.index": 7.0}


# how calls wait


def test_a_call_with_a_time_of_its_own_waits_for_nobody(crew, batch):
    for using in ({"delay_s": 60}, {"expires_s": 1}, {"debounce_s": 1.0}):
        (ref,) = batch.send(1, **using)
        assert crew.transport.find(ref.id).message.gather == 0


def test_one_that_is_replaced_waits_no_longer_than_the_first(crew):
    batch = Batch(crew, unique=Unique("one", until="waiting", replace=True))
    crew.clock.wall = time.time()  # that of the ids
    (ref,) = batch.send(1)
    began = enqueued_at(ref.id)
    crew.clock.wall = began + 1
    batch.send(2)
    found = crew.transport.find(ref.id).message
    assert found.body == b'{"items":2}'
    assert found.available_at == pytest.approx(began + 2, abs=0.5)

from __future__ import annotations

import asyncio
import signal

import pytest

from cronq import Retry
from cronq.consumer.foresight import LONG_S, Foresight
from cronq.consumer.run_times import Durations
from cronq.errors import GiveUp, RetryLater, TransportError
from cronq.messages.message import State
from tests.consumer.crew import Crew, attempts, pressure
from tests.making import message


def test_one_exchange_acks_the_last_message_and_reserves_the_next(crew):
    crew.task().enqueue_many([((1,), {}), ((2,), {})])
    crew.step(3)
    assert crew.ran == [1, 2]
    assert crew.transport.exchanges == [([], True), (["Ack"], True), (["Ack"], True)]


def test_a_batch_is_acked_whole(batching):
    batching.task().enqueue_many([((number,), {}) for number in range(5)])
    batching.step(6)
    assert batching.transport.exchanges == [([], True), (["Ack"] * 5, True)]


def test_a_batch_may_be_acked_one_by_one():
    """Then a power cut repeats one message, not a batch. The last ack and the next reservation share a commit."""
    careful = Crew(batch=10, ack_each=True)
    careful.task().enqueue_many([((number,), {}) for number in range(3)])
    careful.step(4)
    assert careful.ran == [0, 1, 2]
    assert careful.transport.exchanges == [([], True), (["Ack"], False), (["Ack"], False), (["Ack"], True)]


def test_messages_run_in_the_order_of_their_queues(crew):
    remember = crew.task()
    for queue in ("low", "normal", "high"):
        remember.using(queue=queue).enqueue(queue)
    crew.step(3)
    assert crew.ran == ["high", "normal", "low"]


def test_every_message_is_noted_before_it_starts(batching):
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step(2)
    assert batching.post.notes == [(1, None), (2, None)]


def test_a_message_with_a_timeout_is_noted_with_its_end(crew):
    crew.task(timeout_s=30).enqueue(1)
    began = crew.clock.monotonic()
    crew.step()
    assert crew.post.notes[-1] == (1, began + 30)


def test_a_message_is_noted_before_its_body_is_read(crew):
    crew.task()
    crew.transport.enqueue([message(task="shop.remember", body=b"no json")])
    crew.step()
    assert crew.post.notes == [(1, None)]


def test_an_unknown_task_is_parked_and_the_next_message_runs(batching):
    batching.transport.enqueue([message(task="shop.removed", body=b"\xff")])
    batching.task().enqueue(1)
    batching.step(2)
    (parked,) = batching.transport.browse(State.FAILED)
    assert (parked.message.body, batching.ran) == (b"\xff", [1])
    assert "no task is named shop.removed" in parked.error


def test_failures_are_counted(crew):
    def fail():
        raise GiveUp("no")

    crew.task(fail).enqueue()
    crew.task().enqueue(1)
    crew.step(2)
    assert (crew.tally.messages, crew.tally.failures) == (2, 1)


def test_retry_later_waits_and_comes_again(crew):
    def again():
        crew.ran.append(crew.clock.now())
        if len(crew.ran) == 1:
            raise RetryLater(60)

    crew.task(again).enqueue()
    began = crew.clock.now()
    while len(crew.ran) < 2:
        crew.step()
    assert crew.ran[1] == began + 60


# at most once


def test_an_ack_first_message_is_gone_before_it_runs(crew):
    found = []

    def once():
        found.append(crew.transport.browse(State.RESERVED))

    crew.task(once, ack_first=True).enqueue()
    crew.step()
    assert found == [[]]


def test_an_ack_first_message_that_fails_is_not_run_again(crew):
    def once():
        crew.ran.append(1)
        raise ValueError("boom")

    ref = crew.task(once, ack_first=True).enqueue()
    crew.step(3)
    assert (crew.ran, ref.status, crew.tally.failures) == ([1], "gone", 1)


def test_an_ack_first_message_whose_reservation_was_lost_does_not_run(crew):
    crew.task(ack_first=True).enqueue(1)
    crew.looked = lambda busy: crew.transport._tables.rows.clear()
    crew.step()
    assert crew.ran == []


def test_an_ack_first_message_waits_out_a_full_disk(crew):
    crew.task(ack_first=True).enqueue(1)
    crew.looked = lambda busy: crew.transport.failures.append(pressure())
    crew.step()
    crew.looked = crew.looks.append
    assert crew.ran == []
    crew.step(2)
    assert crew.ran == [1]


def test_an_ack_first_message_runs_though_an_earlier_one_was_lost(batching):
    first = batching.task().enqueue(1)

    def once():
        batching.ran.append("once")

    batching.task(once, ack_first=True).enqueue()
    batching.step()
    del batching.transport._tables.rows[first.id]
    batching.step()
    assert batching.ran == [1, "once"]


# sharing


def test_a_batch_counts_down_to_being_shared(batching):
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step()
    assert batching.countdowns == [None, 0.1]


def test_a_single_message_counts_down_to_a_call_for_others(crew):
    crew.task().enqueue(1)
    crew.step()
    assert crew.countdowns == [None, LONG_S]


def test_after_a_batch_was_shared_its_first_message_counts_down_to_a_call_for_others(batching):
    def long():
        batching.consumer.share()

    batching.task(long).enqueue_many([((), {})] * 2)
    batching.step()
    assert batching.countdowns[-1] == LONG_S - 0.1


def test_others_are_called_in_the_middle_of_a_long_message_but_not_of_a_transaction(crew):
    answers, called = [], []
    crew.consumer._tied_up = lambda: called.append(1)

    def long():
        for busy in (True, False):
            crew.transport.is_busy = lambda: busy  # noqa: B023 - called in this very round
            answers.append(crew.consumer.call_others())

    crew.task(long).enqueue()
    crew.step()
    assert (answers, called) == ([False, True], [1])


def test_before_a_message_that_may_be_long_somebody_is_called(crew):
    called = []
    known = {"shop.short": 0.5, "shop.long": 2.0}
    crew.consumer._foresight = Foresight(known, Durations(), lambda: called.append(1), crew.clock)

    def short():
        crew.ran.append(len(called))

    def long():
        crew.ran.append(len(called))

    crew.task(short).enqueue()
    crew.task(long).enqueue()
    crew.step(2)
    assert crew.ran == [0, 1]


def test_sharing_gives_back_uncounted_what_waits_behind_a_long_message(batching):
    def long():
        assert batching.consumer.share()

    batching.task(long).enqueue()
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step()
    assert attempts(batching) == [0, 0]


def test_sharing_wakes_another_consumer(batching):
    def long():
        batching.consumer.share()

    batching.task(long).enqueue()
    batching.task().enqueue(1)
    batching.step()
    assert batching.bells.rung == 1


def test_sharing_waits_while_the_transport_is_busy(batching):
    answers = []

    def long():
        batching.transport.is_busy = lambda: True
        answers.append(batching.consumer.share())

    batching.task(long).enqueue()
    batching.task().enqueue(1)
    batching.step(2)
    assert (answers, batching.ran) == ([False], [1])


def test_sharing_alone_is_done_at_once(crew):
    assert crew.consumer.share() is True


def test_what_was_shared_runs_later_and_once(batching):
    def long():
        batching.ran.append("long")
        batching.consumer.share()

    batching.task(long).enqueue()
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step(6)
    assert batching.ran == ["long", 1, 2]


def test_sharing_between_two_messages_is_no_error(batching):
    def fail():
        raise GiveUp("no")

    batching.task(fail).enqueue()
    batching.task().enqueue(1)
    batching.step()
    batching.transport.during = batching.consumer.share
    batching.step(3)
    assert batching.ran == [1]


def test_a_shared_batch_teaches_how_long_one_message_took(batching):
    def long():
        batching.clock.advance(0.2)
        batching.consumer.share()

    batching.task(long).enqueue()
    batching.task().enqueue_many([((number,), {}) for number in range(9)])
    batching.step(2)
    assert batching.batch.size == 1


# leaving


def test_a_reason_to_leave_ends_the_run(crew):
    crew.reasons = ["told so"]
    assert crew.consumer.run() == "told so"


def test_no_message_starts_once_there_is_a_reason_to_leave(batching):
    def last():
        batching.reasons = ["told so"]

    batching.task(last).enqueue()
    batching.task().enqueue(1)
    batching.consumer.run()
    assert batching.ran == []


def test_it_leaves_when_all_is_empty_if_it_is_meant_to():
    crew = Crew(stop_when_empty=True)
    crew.task().enqueue(1)
    assert crew.consumer.run() == "all queues are empty"
    assert (crew.ran, crew.transport.counts()) == ([1], [])


def test_an_interrupt_gives_the_message_back_counted_and_passes(batching):
    def interrupted():
        signal.raise_signal(signal.SIGINT)

    batching.task(interrupted).enqueue()
    batching.task().enqueue(1)
    with pytest.raises(KeyboardInterrupt):
        batching.consumer.run()
    assert sorted(attempts(batching)) == [0, 1]


def test_an_interrupt_is_told_as_the_reason(crew):
    def interrupted():
        signal.raise_signal(signal.SIGINT)

    ref = crew.task(interrupted).enqueue()
    with pytest.raises(KeyboardInterrupt):
        crew.consumer.run()
    assert ref.error == "interrupted by KeyboardInterrupt"


def test_the_last_attempt_that_is_interrupted_goes_to_the_failure_queue(crew):
    def interrupted():
        signal.raise_signal(signal.SIGINT)

    ref = crew.task(interrupted, retry=Retry(max_attempts=1)).enqueue()
    with pytest.raises(KeyboardInterrupt):
        crew.consumer.run()
    assert (ref.status, ref.error) == (State.FAILED, "interrupted by KeyboardInterrupt")


def test_what_is_no_exception_does_not_keep_others_from_being_run(batching):
    def cancelled():
        raise asyncio.CancelledError

    batching.task(cancelled, retry=Retry(max_attempts=1)).enqueue()
    batching.task().enqueue(1)
    batching.step(3)
    assert (batching.ran, [counts.failed for counts in batching.transport.counts()]) == ([1], [1])


# idling


def test_an_idle_consumer_notes_that_all_before_is_finished(crew):
    crew.task().enqueue(1)
    crew.step(3)
    assert crew.post.idle == [2]


def test_an_idle_consumer_sleeps_as_long_as_it_may(crew):
    crew.step()
    assert crew.bells.waits == [5.0]


def test_who_was_woken_by_a_bell_expects_a_message_once(crew):
    crew.bells.rings = True
    for _ in range(3):
        crew.consumer.step()
    assert crew.transport.expected == [False, True, False]


def test_an_idle_consumer_sleeps_until_the_next_delayed_message(crew):
    crew.task().using(delay_s=3).enqueue(1)
    crew.step(2)
    assert (crew.bells.waits, crew.ran) == ([3.0], [1])


def test_who_wakes_to_more_than_it_can_take_wakes_another(crew):
    crew.step()
    crew.task().enqueue_many([((1,), {}), ((2,), {})])
    crew.step()
    assert crew.bells.rung == 1


def test_who_is_busy_anyway_wakes_nobody(crew):
    crew.task().enqueue_many([((number,), {}) for number in range(3)])
    crew.step(3)
    assert crew.bells.rung == 0


def test_every_look_at_the_queues_is_told(crew):
    crew.task().enqueue(1)
    crew.step(2)
    assert crew.looks == [True, False]


# trouble


def test_a_full_disk_is_waited_out_and_nothing_runs_twice(batching):
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step(2)
    batching.transport.failures = [pressure(), pressure(), pressure()]
    batching.step(5)
    assert (batching.ran, batching.transport.counts()) == ([1, 2], [])


def test_the_waits_for_better_times_grow():
    crew = Crew()
    crew.transport.failures = [pressure() for _ in range(4)]
    crew.step(4)
    assert crew.bells.waits == [0.5, 1.0, 2.0, 4.0]


def test_a_fault_that_is_no_pressure_ends_the_consumer(crew):
    crew.transport.failures = [TransportError("queue.db: is damaged")]
    with pytest.raises(TransportError, match="is damaged"):
        crew.consumer.run()


def test_a_fault_in_the_middle_of_a_batch_loses_nothing(batching):
    def fail():
        raise GiveUp("no")

    batching.task(fail).enqueue()
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step()
    batching.transport.failures = [pressure()]
    batching.step(4)
    assert (batching.ran, len(batching.transport.browse(State.FAILED))) == ([1, 2], 1)


def test_trouble_around_a_look_loses_no_message(crew):
    """What refreshes marks or ticks early may meet the same full disk; the messages just reserved are ours."""
    crew.task().enqueue_many([((1,), {}), ((2,), {})])

    def looked(busy):
        crew.looked = crew.looks.append
        raise pressure()

    crew.looked = looked
    crew.step(4)
    assert crew.ran == [1, 2]

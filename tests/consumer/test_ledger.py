from __future__ import annotations

import errno

from cronq.errors import GiveUp, SyncError
from cronq.messages.message import State
from cronq.tasks.retry import Retry
from cronq.transports.exchange import Evidence
from tests.consumer.crew import attempts, pressure


def test_a_failure_is_settled_before_the_next_message_starts(batching):
    def fail():
        raise ValueError("boom")

    seen = []

    def look():
        seen.append(batching.transport.browse(State.FAILED)[0].error)

    batching.task(fail, retry=Retry(max_attempts=1)).enqueue()
    batching.task(look).enqueue()
    batching.step(2)
    assert seen[0].endswith("ValueError: boom\n")


def test_a_kept_result_is_settled_before_the_next_message_starts(batching):
    def answer():
        return 42

    ref = batching.task(answer, result_ttl_s=60).enqueue()
    batching.task().enqueue(1)
    batching.step(2)
    assert ref.result == 42


def test_a_message_that_became_somebody_else_s_is_not_acked_by_us(crew):
    def long():
        crew.transport.rescue(crew.post.holder, Evidence("lapsed"))

    ref = crew.task(long).enqueue()
    crew.step()
    crew.transport.pause("normal", True)
    crew.step()
    assert ref.status == "ready"


def test_what_follows_an_ack_first_message_is_enqueued_once_on_a_disk_that_fails(crew, monkeypatch):
    enqueue, tried = crew.transport.enqueue, []

    def unconfirmed(messages):
        tried.append(enqueue(messages))
        raise SyncError("queue.db-wal: Input/output error")

    def fail():
        raise ValueError("boom")

    def tell(failure):
        crew.ran.append("told")

    crew.task(fail, ack_first=True, on_failure=crew.task(tell)).enqueue()
    monkeypatch.setattr(crew.transport, "enqueue", unconfirmed)
    crew.step(4)
    assert (len(tried), crew.ran) == (1, ["told"])


def test_leaving_acks_what_ended_and_gives_the_rest_back_uncounted(batching):
    def last():
        batching.reasons = ["told so"]

    ref = batching.task(last).enqueue()
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.consumer.run()
    assert (ref.status, attempts(batching), batching.transport.held()) == ("gone", [0, 0], [])


def test_a_consumer_that_ran_nothing_writes_nothing_when_it_leaves(crew):
    crew.reasons = ["told so"]
    crew.consumer.run()
    assert crew.transport.exchanges == []


def test_when_leaving_fails_the_note_tells_what_finished(batching):
    def last():
        batching.reasons = ["told so"]
        batching.transport.failures = [pressure()]

    batching.task(last).enqueue()
    batching.task().enqueue(1)
    assert batching.consumer.run() == "told so"
    assert batching.post.idle == [2]


def test_when_leaving_fails_after_a_failure_the_note_stays(batching):
    def last():
        batching.reasons = ["told so"]
        batching.transport.failures = [pressure()]
        raise GiveUp("no")

    batching.task(last).enqueue()
    batching.consumer.run()
    assert (batching.post.notes[-1][0], batching.post.idle) == (1, [])


def test_who_is_killed_while_it_waits_for_a_full_disk_has_noted_what_it_finished(batching):
    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step(2)
    assert batching.ran == [1, 2]
    batching.transport.failures = [pressure()]
    batching.step()
    assert batching.post.idle[-1] == batching.consumer.position > batching.post.notes[-1][0]


def test_a_disk_too_full_even_for_a_note_is_waited_out(batching, monkeypatch):
    def note_idle(position):
        raise OSError(errno.ENOSPC, "No space left on device")

    batching.task().enqueue_many([((1,), {}), ((2,), {})])
    batching.step(2)
    with monkeypatch.context() as patch:
        patch.setattr(batching.post, "note_idle", note_idle)
        batching.transport.failures = [pressure()]
        batching.step()
    batching.step()
    assert (batching.ran, batching.transport.counts()) == ([1, 2], [])

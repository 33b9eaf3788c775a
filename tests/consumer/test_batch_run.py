from __future__ import annotations

import asyncio
import signal

import pytest

from cronq import (
    PartlyFailed,
    Retry,
)
from cronq.config.settings import Queue
from cronq.consumer.leftovers import Leftovers
from cronq.consumer.runner import Runner
from cronq.errors import TransportError
from cronq.messages.message import State
from cronq.transports.exchange import Evidence
from tests.consumer.batches import Batch, waiting
from tests.consumer.bench import runnable
from tests.consumer.crew import pressure
from tests.making import message


def test_a_body_that_does_not_decode_fails_alone(crew, batch):
    for bad in (0, 1, 2):
        batch.calls.clear()
        bodies = [b'{"items":7}'] * 3
        bodies[bad] = b'{"items":"x"}'
        at = crew.clock.now() + 2
        sent = [message(task="shop.index", body=body, gather=3, available_at=at) for body in bodies]
        crew.transport.enqueue(sent)
        crew.step(4)
        assert batch.calls == [[7, 7]]
        (record,) = crew.transport.browse(State.FAILED)
        assert record.message.id == sent[bad].id
        crew.transport.remove([record.message.id])
    assert crew.transport.counts() == []


def test_an_expired_one_is_not_run_with_the_others(crew, batch):
    batch.send(1, 2)
    batch.send(3, expires_s=3)
    crew.clock.advance(4)
    crew.step(3)
    assert batch.calls == [[1, 2]]
    assert [one.error_class for one in crew.transport.browse(State.FAILED)] == ["Expired"]


def test_what_was_shared_before_a_batch_began_is_not_run(crew, batch):
    def shared_while_the_first_is_read(body):
        crew.consumer.share()
        return decode(body)

    batch.send(1, 2, 3)
    codec = batch.task.codec
    decode, codec.decode = codec.decode, shared_while_the_first_is_read
    crew.step()
    assert batch.calls == [[1]]
    crew.consumer._hand_over()
    assert waiting(crew) == [(0, 3)] * 2


def test_a_running_batch_cannot_be_shared(crew, batch):
    batch.inside = lambda items: crew.consumer.share() and None
    batch.send(1, 2, 3)
    crew.step(2)
    assert (batch.calls, crew.transport.counts()) == ([[1, 2, 3]], [])


def test_an_interrupted_batch_is_given_back(crew, batch):
    batch.inside = lambda items: signal.raise_signal(signal.SIGINT)
    batch.send(1, 2, 3)
    with pytest.raises(KeyboardInterrupt):
        crew.consumer.run()
    assert waiting(crew) == [(1, 0)] * 3


def test_what_is_no_exception_fails_the_messages_of_a_batch_like_any_other_error(crew):
    batch = Batch(crew, retry=Retry(max_attempts=1))
    batch.raises(asyncio.CancelledError())
    batch.send(1, 2, 3)
    crew.step(2)
    assert [one.error_class for one in crew.transport.browse(State.FAILED)] == ["CancelledError"] * 3


def test_a_full_disk_keeps_the_ends_of_a_batch(crew, batch):
    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({0: ValueError("boom")}))
    crew.step()
    crew.transport.failures = [pressure()]
    crew.step()
    batch.inside = lambda items: None
    crew.step(2)
    assert (batch.calls, crew.transport.counts()) == ([[1, 2, 3], [1]], [])


def test_a_queue_that_is_gone_after_a_batch_leaves_the_note_that_it_ran(crew, batch):
    batch.send(1, 2, 3)
    batch.raises(PartlyFailed({0: ValueError("boom")}))
    crew.step()
    crew.transport.failures = [TransportError("gone")]
    crew.consumer._hand_over()
    assert crew.post.idle == []
    crew.transport.rescue(crew.post.holder, Evidence("killed", 1, 1, certain=True))
    assert waiting(crew) == [(1, 0)] * 3


def test_messages_of_an_isolated_queue_are_run_alone(crew):
    Batch(crew)
    queues = {"low": Queue("low", isolated=True)}
    crew.app.installation.settings = crew.app.settings._replace(queues=queues)
    runner = Runner(crew.app.runner_tasks(), crew.clock)
    runner.own_process(lambda: pytest.fail("nothing is run"), Leftovers())
    calls = [runnable(runner, message(queue, task="shop.index", body=b'{"items":1}')) for queue in ("normal", "low")]
    assert [call.may_gather for call in calls] == [True, False]

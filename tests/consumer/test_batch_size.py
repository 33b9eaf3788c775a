from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cronq.consumer.batch_size import TARGET_S, BatchSize


def test_it_begins_with_one():
    assert BatchSize().size == 1


def test_it_doubles_while_messages_are_short():
    batch, sizes = BatchSize(), []
    for _ in range(5):
        batch.learn(batch.size, 0.00001 * batch.size)
        sizes.append(batch.size)
    assert sizes == [2, 4, 8, 16, 32]


def test_it_falls_to_one_at_the_first_long_message():
    batch = BatchSize()
    batch.size = 64
    batch.learn(1, 10.0)
    assert batch.size == 1


def test_a_batch_fits_the_target():
    batch = BatchSize()
    for _ in range(20):
        batch.learn(batch.size, 0.005 * batch.size)
    assert batch.size == int(TARGET_S / 0.005)


def test_one_is_the_most_where_every_message_is_acked_by_itself():
    batch = BatchSize(most=1)
    batch.learn(1, 0.000001)
    assert batch.size == 1


@given(most=st.integers(1, 1000), runs=st.lists(st.tuples(st.integers(0, 2000), st.floats(0, 1e6)), max_size=30))
def test_it_is_never_above_its_most_nor_twice_the_last(most, runs):
    batch = BatchSize(most)
    for messages, seconds in runs:
        before = batch.size
        batch.learn(messages, seconds)
        assert 1 <= batch.size <= min(most, 2 * before)

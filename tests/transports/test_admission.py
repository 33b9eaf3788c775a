"""Who is let in: as many as may wait, by a count that is taken once a second at most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.config.settings import Queue, Settings
from cronq.errors import TransportError
from cronq.messages.unsent import QueueFull
from cronq.transports.admission import AT_MOST_EVERY_S, Admission
from cronq.transports.memory import MemoryTransport
from tests.clocks import FakeClock
from tests.making import message

if TYPE_CHECKING:
    from collections.abc import Callable


class Counted(MemoryTransport):
    """Tells how often it was counted, takes its time for that, and says how large it is."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.looks = 0
        self.takes_s = 0.0
        self.size = 0

    def waiting(self, queue: str, at_most: int) -> int:
        self.looks += 1
        self.clock.advance(self.takes_s)
        return super().waiting(queue, at_most)

    def stored_bytes(self) -> int:
        return self.size


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Counted:
    return Counted(clock)


@pytest.fixture
def admission(store: Counted, clock: FakeClock) -> Admission:
    settings = Settings(None, "/", "/none", queues={"mail": Queue("mail", max_waiting=3)}, store_max_mb=1)
    return Admission(settings, lambda: store, clock)


def put(admission: Admission, store: Counted, number: int = 1, queue: str = "mail", body: bytes = b"{}") -> None:
    messages = [message(queue, body=body) for _ in range(number)]
    admission.admit(messages)
    store.enqueue(messages)


def test_as_many_are_let_in_as_may_wait_and_other_queues_are_nobody_s_business(
    admission: Admission, store: Counted
) -> None:
    put(admission, store, 3)
    with pytest.raises(QueueFull, match="queue 'mail' is full: no more than 3"):
        put(admission, store)
    put(admission, store, 10, "high")


def test_all_of_a_call_are_let_in_or_none(admission: Admission, store: Counted) -> None:
    put(admission, store, 2)
    two = [message("high"), message("mail"), message("mail")]
    with pytest.raises(QueueFull) as caught:
        admission.admit(two)
    assert caught.value.messages == tuple(two)
    put(admission, store)


def test_the_queue_is_counted_once_a_second_at_most(admission: Admission, store: Counted, clock: FakeClock) -> None:
    put(admission, store)
    put(admission, store)
    assert store.looks == 1
    clock.advance(AT_MOST_EVERY_S)
    put(admission, store)
    assert store.looks == 2


def test_counting_takes_a_hundredth_of_the_time_at_most(admission: Admission, store: Counted, clock: FakeClock) -> None:
    store.takes_s = 0.5
    put(admission, store)
    clock.advance(49)
    put(admission, store)
    assert store.looks == 1
    clock.advance(1)
    put(admission, store)
    assert store.looks == 2


def test_who_was_refused_is_let_in_a_second_after_there_is_room(
    admission: Admission, store: Counted, clock: FakeClock
) -> None:
    put(admission, store, 3)
    store.flush("mail")
    with pytest.raises(QueueFull):
        put(admission, store)
    clock.advance(AT_MOST_EVERY_S)
    put(admission, store)


def test_a_store_as_large_as_it_may_be_refuses_whatever_the_queue(
    admission: Admission, store: Counted, clock: FakeClock
) -> None:
    store.size = 1024 * 1024 - 100
    put(admission, store, queue="high")
    with pytest.raises(QueueFull, match=r"no more than 1 MB \(store_max_mb\)"):
        put(admission, store, queue="high", body=b"x" * 100)


def test_a_store_that_cannot_be_looked_at_says_itself_what_is_wrong(clock: FakeClock) -> None:
    def refuse() -> Counted:
        raise TransportError("the disk fails")

    broken: Callable[[], Counted] = refuse
    settings = Settings(None, "/", "/none", queues={"mail": Queue("mail", max_waiting=1)})
    Admission(settings, broken, clock).admit([message("mail"), message("mail")])

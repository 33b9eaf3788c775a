"""What the contracts of all abilities start from. A transport's test class inherits those of what it can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest

from cronq.messages.attempts import Cause
from cronq.messages.message import Fail, Message
from cronq.messages.rate import parse
from cronq.transports.exchange import Want
from tests import making
from tests.clocks import FakeClock

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from cronq.messages.message import Message
    from cronq.transports.base import Transport
    from tests.making import MessageFields

ME = "web1/high.0/100/5/boot0001"
OTHER = "web1/high.1/101/6/boot0001"


def message(queue: str = "high", **fields: Unpack[MessageFields]) -> Message:
    known: MessageFields = {"task": "shop:send", **fields}
    return making.message(queue, **known)


def ids(messages) -> list[str]:
    return [one.id for one in messages]


class Contract(ABC):
    """Gives a contract the transport that `make` makes, and ways to bring messages to where a test needs them."""

    @abstractmethod
    def make(self, clock: FakeClock, tmp_path: Path) -> Transport: ...

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def transport(self, clock: FakeClock, tmp_path: Path):
        transport = self.make(clock, tmp_path)
        yield transport
        transport.close()

    def reserve(self, transport, *queues, limit=10, position=1, holder=ME, outcomes=()):
        return transport.exchange(holder, outcomes, Want(queues or ("high",), 1e12, limit, position))

    def record_of(self, transport, message_id):
        """Return what is stored of a message. A transport without search finds it in a way of its own."""
        return transport.find(message_id)

    def state_of(self, transport, sent):
        record = self.record_of(transport, sent.id)
        return None if record is None else record.state

    def fail(self, transport, sent, error_class="ValueError", text="boom", took_s=None):
        """Enqueue a message, and let its attempt fail for good."""
        transport.enqueue([sent])
        (got,) = self.reserve(transport, sent.queue, limit=1).messages
        transport.exchange(ME, [Fail(got, f"{error_class}: {text}", Cause(error_class, text, took_s))], None)
        return sent.id

    def work(self, transport, rates=(), *, limit=10, outcomes=(), position=1):
        known = {name: parse(rate) for name, rate in dict(rates).items()}
        return transport.exchange(ME, outcomes, Want(["high"], 1e12, limit, position, (), known)).messages

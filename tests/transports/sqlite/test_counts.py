"""Glances."""

from __future__ import annotations

import time

from cronq.messages.message import Ack, Fail
from cronq.transports.exchange import Want
from cronq.transports.sqlite import counts
from tests.making import message


def test_a_glance_shows_what_counting_shows_but_for_results(transport):
    transport.enqueue([message(queue="high", priority=number % 3) for number in range(9)])
    transport.enqueue([message(queue="low", available_at=time.time() + 1000), message(queue="low", available_at=1.0)])
    transport.pause("low", True)
    first, second, third = transport.exchange("me", [], Want(["high"], 9e9, 3, 1)).messages
    transport.exchange("me", [Fail(first, "no"), Ack(second, b"1", 60)], None)
    assert third
    assert transport.glance() == [counts._replace(done=0) for counts in transport.counts()]


def test_a_glance_stops_counting_and_says_where(transport, monkeypatch):
    monkeypatch.setattr(counts, "GLANCED_AT", 5)
    transport.enqueue([message(queue="high") for _ in range(7)] + [message(queue="low") for _ in range(4)])
    high, low = transport.glance()
    assert (high.ready, high.more) == (5, ("ready",))
    assert (low.ready, low.more) == (4, ())

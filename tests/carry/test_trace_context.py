from __future__ import annotations

import re

import pytest

from cronq.carry.trace_context import Trace
from tests.presence import there

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def read(traceparent: str, tracestate: str = "") -> Trace | None:
    return Trace.read({"traceparent": traceparent, "tracestate": tracestate})


def test_the_example_of_the_recommendation_is_read_and_written_back():
    found = read(f"00-{TRACE}-{SPAN}-01", "congo=t61rcWkgMzE")
    assert found == Trace(TRACE, SPAN, 1, "congo=t61rcWkgMzE")
    assert found.headers() == {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "congo=t61rcWkgMzE"}


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-0g",
        f"00-{TRACE}-{SPAN}-01-more",
        f"01-{TRACE}-{SPAN}-01more",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
    ],
)
def test_what_the_recommendation_calls_invalid_is_no_trace(given):
    assert read(given) is None


def test_a_later_version_is_read_as_far_as_it_is_known():
    assert str(read(f"cc-{TRACE}-{SPAN}-01-what-the-future-holds")) == f"00-{TRACE}-{SPAN}-01"


def test_flags_that_are_not_known_are_not_passed_on():
    assert there(read(f"00-{TRACE}-{SPAN}-ff")).flags == 0b11


@pytest.mark.parametrize("state", ["a=" + "x" * 511, "a=\x00", "a=ü"])
def test_an_unsound_state_is_left_out(state):
    assert read(f"00-{TRACE}-{SPAN}-01", state) == Trace(TRACE, SPAN, 1)


def test_a_child_is_another_span_of_the_same_trace():
    parent = Trace(TRACE, SPAN, 1, "a=b")
    child = parent.child()
    assert (child.trace_id, child.flags, child.state) == (TRACE, 1, "a=b")
    assert child.span_id != SPAN


def test_a_new_trace_is_valid_and_claims_no_sampling():
    new = Trace.begin()
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", str(new))
    assert Trace.read(new.headers()) == new

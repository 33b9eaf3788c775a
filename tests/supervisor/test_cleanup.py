from __future__ import annotations

import os

import pytest

from cronq.host.state_dir import StateDir
from cronq.messages.message import Ack, Fail
from cronq.supervisor.cleanup import tidy
from cronq.transports.exchange import Want
from cronq.transports.memory.transport import MemoryTransport
from tests.clocks import FakeClock
from tests.making import message, settings

MEGABYTE = 1024 * 1024


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


@pytest.fixture
def clock():
    return FakeClock()


def test_a_log_that_has_grown_too_big_is_started_anew_and_one_is_kept(state, home, clock):
    for path in (state.log, state.output):
        with open(path, "w") as file:
            file.write("x" * (MEGABYTE + 1))
        with open(path + ".1", "w") as file:
            file.write("older")
    tidy(settings(home, log_max_mb=1), state, MemoryTransport(clock), clock)
    assert not os.path.exists(state.log)
    assert {os.stat(path + ".1").st_size for path in (state.log, state.output)} == {MEGABYTE + 1}


def test_a_log_that_fits_stays(state, home, clock):
    with open(state.log, "w") as file:
        file.write("x" * MEGABYTE)
    tidy(settings(home, log_max_mb=1), state, MemoryTransport(clock), clock)
    assert os.stat(state.log).st_size == MEGABYTE


def test_missing_logs_are_no_error(state, home, clock):
    tidy(settings(home), state, MemoryTransport(clock), clock)


def test_failures_and_results_go_when_their_retention_is_over(state, home, clock):
    transport = MemoryTransport(clock)
    transport.enqueue([message(), message(), message()])
    done, failed, _ready = transport.exchange("me", [], Want(["high"], 1e12, 3, 1)).messages
    transport.exchange("me", [Ack(done, b"1", 60), Fail(failed, "no")], None)
    project = settings(home, failures_keep_s=600.0)
    left = []
    for seconds in (59, 1, 540):
        clock.advance(seconds)
        tidy(project, state, transport, clock)
        left.append(transport.counts()[0][3:6])
    assert left == [(1, 1, 1), (1, 1, 0), (1, 0, 0)]


def test_what_a_killed_writer_left_half_written_is_removed(state, home, clock):
    old, new = f"{state.path}/ticks.123.new", f"{state.run}/high.backoff.124.new"
    for path, age_s in ((old, 61), (new, 1)):
        with open(path, "w"):
            pass
        os.utime(path, (clock.now() - age_s, clock.now() - age_s))
    tidy(settings(home), state, MemoryTransport(clock), clock)
    assert (os.path.exists(old), os.path.exists(new)) == (False, True)


def test_more_than_one_slice_goes_in_one_tick(state, home, clock):
    transport = MemoryTransport(clock)
    transport.enqueue([message() for _ in range(2500)])
    taken = transport.exchange("me", [], Want(["high"], 1e12, 2500, 1)).messages
    transport.exchange("me", [Ack(one, b"1", 60) for one in taken], None)
    clock.advance(61)
    tidy(settings(home), state, transport, clock)
    assert transport.counts() == []


def test_the_tidy_up_ends_when_its_time_is_over(state, home, clock):
    class Slow(MemoryTransport):
        def prune(self, failed_keep_s, at_most):
            clock.advance(0.2)
            return super().prune(failed_keep_s, at_most)

    transport = Slow(clock)
    transport.enqueue([message() for _ in range(2500)])
    taken = transport.exchange("me", [], Want(["high"], 1e12, 2500, 1)).messages
    transport.exchange("me", [Ack(one, b"1", 60) for one in taken], None)
    clock.advance(61)
    tidy(settings(home), state, transport, clock)
    assert transport.counts()[0].done == 500

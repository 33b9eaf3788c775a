"""Whatever is done in whatever order, the SQLite transport ends as the plain model in memory does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from cronq.messages.message import UNTIL_DONE, WHILE_WAITING, State
from cronq.messages.rate import parse
from cronq.transports.exchange import Evidence, Want
from tests.transports.comparison import HOLDERS, KEYS, QUEUES, SETTLED, Comparison

TASKS = ("t", "u")
RATES = [{}, {"task:t": parse("2/20s")}, {"task:t": parse("1/5s"), "queue:high": parse("3/20s")}]

queues = st.sampled_from(QUEUES)
holders = st.sampled_from(HOLDERS)
delays = st.sampled_from([0.0, 0.0, 5.0, 30.0])
rates = st.sampled_from(RATES)
in_force = st.sampled_from(RATES[1:])
rivals = st.lists(st.sampled_from([None, 1, 2]), max_size=3)
withouts = st.sampled_from([(), (), ("u",)])
endings = st.sampled_from(["ack", "keep", "release", "later", "uncounted", "fail", "go on", "then"])
fields = st.fixed_dictionaries(
    {
        "queue": queues,
        "task": st.sampled_from(TASKS),
        "priority": st.integers(-1, 1),
        "max_attempts": st.integers(0, 2),
    }
)
until = st.sampled_from([WHILE_WAITING, UNTIL_DONE, 60.0])
terms = st.fixed_dictionaries(
    {},
    optional={
        "unique": st.tuples(st.sampled_from(KEYS), until, st.sampled_from([0.0, 20.0])),
        "running": st.tuples(st.sampled_from(KEYS), st.integers(1, 2)),
        "gather": st.integers(2, 3),
        "part": st.tuples(st.sampled_from(KEYS), st.integers(0, 2)),
        "waits_for": st.sampled_from(KEYS),
    },
)


class Rivals(Comparison):
    """What a rate and a running key hold back at once: among all that can be done, that is too seldom."""

    @rule(
        holder=holders,
        queue=st.sampled_from(QUEUES),
        most=rivals,
        seconds=delays,
        ends=st.integers(0, 2),
        rates=in_force,
    )
    def work_under_rates(self, holder, queue, most, seconds, ends, rates) -> None:
        """In one step, since a machine that may choose its steps leaves some of them out for a whole run."""
        under: list[dict[str, Any]] = [{"running": ("k", one)} if one else {} for one in most]
        self.put([self.new_messages(1, extra, queue=queue)[0] for extra in under])
        self.clock.advance(seconds)
        self.exchange(holder, ["ack"] * ends, Want(QUEUES, self.clock.now() + 60, 5, self.position, (), rates))


class Everything(Rivals):
    @rule(fields=fields, count=st.integers(1, 4), delay_s=delays)
    def enqueue(self, fields, count, delay_s) -> None:
        self.put(self.new_messages(count, {}, delay_s, **fields))

    @rule(fields=fields, count=st.integers(1, 4), delay_s=delays, extra=terms)
    def enqueue_under_terms(self, fields, count, delay_s, extra) -> None:
        self.put(self.new_messages(count, extra, delay_s, **fields))

    @rule(data=st.data())
    def ask_to_stop(self, data) -> None:
        if self.ids:
            self.both("ask_to_stop", data.draw(st.lists(st.sampled_from(self.ids), max_size=3, unique=True)))

    @rule(data=st.data())
    def cancel(self, data) -> None:
        if self.ids:
            wanted = data.draw(st.lists(st.sampled_from(self.ids), max_size=3, unique=True))
            self.may_go = set(wanted)
            self.both("cancel", wanted)

    @rule(holder=holders)
    def asked_to_stop(self, holder) -> None:
        assert sorted(self.sqlite.asked_to_stop(holder)) == sorted(self.memory.asked_to_stop(holder))

    @rule(holder=holders, wanted=st.permutations(QUEUES), limit=st.integers(1, 5), rates=rates)
    def work(self, holder, wanted, limit, rates) -> None:
        self.exchange(holder, ["ack"] * 5, Want(wanted, self.clock.now() + 60, limit, self.position, (), rates))

    @rule(holder=holders, ends=st.lists(endings, max_size=4), limit=st.integers(0, 3), rates=rates, without=withouts)
    def work_otherwise(self, holder, ends, limit, rates, without) -> None:
        want = Want(QUEUES, self.clock.now() + 60, limit, self.position, without, rates) if limit else None
        self.exchange(holder, ends, want)

    @rule(holder=holders, below=st.integers(0, 30), running=st.none() | st.integers(0, 30), certain=st.booleans())
    def rescue(self, holder, below, running, certain) -> None:
        held = [record.message for record in self.memory.browse(State.RESERVED) if record.holder == holder]
        self.may_go = {one.id for one in held if one.position < below}
        self.both("rescue", holder, Evidence("killed", below, running, certain))

    @rule(
        what=st.sampled_from([("pause", QUEUES), ("pause_task", TASKS)]),
        which=st.integers(0, 1),
        on=st.sampled_from([False, False, True]),
    )
    def pause(self, what, which, on) -> None:
        self.both(what[0], what[1][which], on)

    @rule(holder=holders, data=st.data(), every_s=st.sampled_from([0.0, 5.0]))
    def extend_and_revive(self, holder, data, every_s) -> None:
        self.both("extend", holder, self.clock.now() + 300)
        self.both("revive", data.draw(st.lists(self.some_ids(), max_size=3, unique=True)), None, every_s)

    @rule(data=st.data(), only=st.sampled_from([None, *SETTLED]), flushed=st.sampled_from([None] * 15 + ["low"]))
    def remove(self, data, only, flushed) -> None:
        self.may_go = set(self.there)
        if flushed:
            self.both("flush", flushed)
        else:
            self.both("remove", data.draw(st.lists(self.some_ids(), max_size=2, unique=True)), only)

    def some_ids(self) -> st.SearchStrategy[str]:
        return st.sampled_from(self.ids or ["00"])

    @rule()
    def look_and_prune(self) -> None:
        self.look()
        self.may_go = set(self.there)
        self.both("prune", 60.0, 1000)


def test_sqlite_does_as_the_plain_model() -> None:
    _run(Everything, 40, 30)


def test_sqlite_does_as_the_plain_model_where_rates_and_running_keys_hold_the_same_messages_back() -> None:
    Rivals.met.clear()
    _run(Rivals, 50, 20)
    print(*Rivals.met.items(), sep="\n")
    assert min(Rivals.met.values()) >= 5, f"the comparison has hardly met what it is about: {Rivals.met}"


@pytest.mark.slow
def test_sqlite_does_as_the_plain_model_two_thousand_times() -> None:
    _run(Everything, 2000, 50)


def _run(machine: type[Comparison], examples: int, steps: int) -> None:
    so_often = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(machine, settings=so_often)

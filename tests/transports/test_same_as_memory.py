"""Whatever is done in whatever order, the SQLite transport ends as the plain model in memory does."""

from __future__ import annotations

import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cronq.ids import new_id
from cronq.message import Ack, Fail, Message, Release, State
from cronq.transports.base import Evidence, Want
from cronq.transports.memory import MemoryTransport
from cronq.transports.sqlite import SqliteTransport
from tests.clocks import FakeClock

QUEUES = ("high", "low")
SETTLED = (State.RESERVED, State.FAILED, State.DONE)  # a delayed message is called ready by whoever looks first
HOLDERS = ("h/high.0/1/1/b", "h/high.1/2/2/b")

queues = st.sampled_from(QUEUES)
holders = st.sampled_from(HOLDERS)
delays = st.sampled_from([0.0, 0.0, 5.0, 30.0])


class SameAsMemory(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.clock = FakeClock()
        self.folder = tempfile.mkdtemp()
        self.memory = MemoryTransport(self.clock)
        self.sqlite = SqliteTransport(f"{self.folder}/queue.db", "normal", self.clock)
        self.ids: list[str] = []
        self.taken: dict[str, list[Message]] = {holder: [] for holder in HOLDERS}
        self.position = 1
        self.acked = 0
        self.removed = 0

    def both(self, name: str, *args: object) -> object:
        expected = getattr(self.memory, name)(*args)
        assert getattr(self.sqlite, name)(*args) == expected
        return expected

    @rule(queue=queues, count=st.integers(1, 4), delay_s=delays, priority=st.integers(-1, 1), most=st.integers(0, 2))
    def enqueue(self, queue, count, delay_s, priority, most) -> None:
        at = self.clock.now() + delay_s if delay_s else 0.0
        messages = [
            Message(new_id(), queue, "t", b"{}", priority=priority, available_at=at, max_attempts=most)
            for _ in range(count)
        ]
        self.ids += [message.id for message in messages]
        self.both("enqueue", messages)

    @rule(
        holder=holders,
        wanted=st.permutations(QUEUES),
        limit=st.integers(0, 3),
        ends=st.lists(st.sampled_from(["ack", "keep", "release", "later", "uncounted", "fail"]), max_size=4),
    )
    def exchange(self, holder, wanted, limit, ends) -> None:
        outcomes = [_outcome(self.taken[holder].pop(0), end) for end in ends if self.taken[holder]]
        want = Want(wanted, self.clock.now() + 60, limit, self.position) if limit else None
        plain = {one.message.id for one in outcomes if isinstance(one, Ack) and not one.keep_s}
        there = [one for one in plain if self.memory.find(one)]  # two outcomes of one id: an earlier one was lost
        found = self.both("exchange", holder, outcomes, want)
        self.acked += sum(self.memory.find(one) is None for one in there)
        self.position += len(found.messages)
        self.taken[holder] += found.messages

    @rule(holder=holders, below=st.integers(0, 30), running=st.none() | st.integers(0, 30), certain=st.booleans())
    def rescue(self, holder, below, running, certain) -> None:
        evidence = Evidence("killed", below, running, certain)
        self.acked += self.both("rescue", holder, evidence).finished

    @rule(holder=holders)
    def extend(self, holder) -> None:
        self.both("extend", holder, self.clock.now() + 300)

    @rule(queue=queues, paused=st.booleans())
    def pause(self, queue, paused) -> None:
        self.both("pause", queue, paused)

    @rule(data=st.data())
    def revive(self, data) -> None:
        self.both("revive", data.draw(st.lists(st.sampled_from(self.ids or ["00"]), max_size=3, unique=True)))

    @rule(data=st.data(), every_s=st.sampled_from([0.0, 5.0]), only=st.sampled_from([None, *SETTLED]))
    def remove_or_spread(self, data, every_s, only) -> None:
        ids = data.draw(st.lists(st.sampled_from(self.ids or ["00"]), max_size=2, unique=True))
        if every_s:
            self.both("revive", ids, None, every_s)
        else:
            self.removed += self.both("remove", ids, only)

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0]))
    def wait(self, seconds) -> None:
        self.clock.advance(seconds)

    @invariant()
    def both_tell_the_same(self) -> None:
        if not hasattr(self, "memory"):
            return
        for name, args in [
            ("counts", ()),
            ("depth", (QUEUES, 100)),
            ("depth", (("low",), 2)),
            *[("browse", (state,)) for state in SETTLED],
        ]:
            self.both(name, *args)
        assert sorted(self.sqlite.held()) == sorted(self.memory.held())

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        if hasattr(self, "memory"):
            kept = sum(sum(counts[1:6]) for counts in self.sqlite.counts())
            assert kept + self.acked + self.removed == len(self.ids)

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.sqlite.close()
            shutil.rmtree(self.folder)


def _outcome(message: Message, end: str) -> Ack | Release | Fail:
    return {
        "ack": Ack(message),
        "keep": Ack(message, b"1", 60.0),
        "release": Release(message, error="boom"),
        "later": Release(message, delay_s=5.0, error="boom"),
        "uncounted": Release(message, uncounted=True),
        "fail": Fail(message, "no"),
    }[end]


SameAsMemory.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSameAsMemory = SameAsMemory.TestCase

"""Whatever happens to schedules and their runs, the SQLite transport ends as the plain model in memory does.

And whatever happens: no run is enqueued beside one that goes on, failures in a row are counted as they came, and what
has stopped does not fire.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cronq.messages.attempts import Cause
from cronq.messages.message import Ack, Fail, Message, Release, State
from cronq.schedules.stored import CODE, RUNTIME, Fired, Firing, StoredSchedule
from cronq.transports.exchange import Evidence, Want
from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.sqlite import SqliteTransport
from tests.clocks import FakeClock
from tests.making import message

ME = "h/high.0/1/1/b"
NAMES = ("a", "b")
LIVE = (State.READY, State.DELAYED, State.RESERVED)

names = st.sampled_from(NAMES)
sources = st.sampled_from([CODE, RUNTIME])


class SchedulesSameAsMemory(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.clock = FakeClock()
        self.folder = tempfile.mkdtemp()
        self.memory = MemoryTransport(self.clock)
        self.sqlite = SqliteTransport(f"{self.folder}/queue.db", "normal", self.clock)
        self.taken: list[Message] = []
        self.position = 1
        self.looked_at: list[StoredSchedule] = []

    def both(self, name: str, *args: object) -> Any:
        expected = getattr(self.memory, name)(*args)
        assert getattr(self.sqlite, name)(*args) == expected
        return expected

    @rule(source=sources, name=names, declared=st.sampled_from("xy"), stop_after=st.integers(0, 2), alone=st.booleans())
    def declare(self, source, name, declared, stop_after, alone) -> None:
        known = [name] if source == CODE else [f"{name}{name}"]  # a name is one schedule's
        new = [
            StoredSchedule(source, one, declared, "t", b"{}", self.clock.now() + 60, stop_after=stop_after)
            for one in known
        ]
        self.both("declare", source, new, known if alone else None)

    @rule(source=sources, name=names)
    def forget(self, source, name) -> None:
        self.both("declare", source, [], [name])

    @rule()
    def look(self) -> None:
        self.looked_at = self.memory.schedules()

    @rule(data=st.data(), count=st.integers(0, 2), overlaps=st.booleans())
    def fire(self, data, count, overlaps) -> None:
        """By what may be out of date: another may have fired since it was looked at."""
        if not self.looked_at:
            return
        one = data.draw(st.sampled_from(self.looked_at))
        headers = json.dumps({"schedule": one.name}).encode()
        sent = [message(headers=headers, max_attempts=2) for _ in range(count)]
        now = next((other for other in self.memory.schedules() if other[:2] == one[:2]), None)
        live = now is not None and now.last_message_id is not None and self.is_live(now.last_message_id)
        stopped = now is not None and now.stopped_at is not None
        answer = self.both("fire", Firing(one, self.clock.now() + 60, sent, overlaps))
        if stopped and one.stopped_at is None:
            assert answer is Fired.BEATEN
        if live and count and not overlaps:
            assert answer in {Fired.SKIPPED, Fired.BEATEN}

    def is_live(self, message_id: str) -> bool:
        record = self.memory.find(message_id)
        return record is not None and record.state in LIVE

    @rule(data=st.data(), failures=st.integers(0, 2))
    def revise(self, data, failures) -> None:
        if self.looked_at:
            old = data.draw(st.sampled_from(self.looked_at))
            new = old._replace(stopped_at=None, failures=failures, next_at=self.clock.now() + 60)
            self.both("revise", old, new)

    @rule(
        ends=st.lists(st.sampled_from(["ack", "keep", "release", "later", "fail"]), max_size=3), limit=st.integers(0, 3)
    )
    def exchange(self, ends, limit) -> None:
        outcomes = [_outcome(self.taken.pop(0), end) for end in ends if self.taken]
        before = {one.name: one.failures for one in self.memory.schedules()}
        want = Want(["high"], self.clock.now() + 60, limit, self.position) if limit else None
        found = self.both("exchange", ME, outcomes, want)
        self.position += len(found.messages)
        self.taken += found.messages
        for one in self.memory.schedules():
            ours = [end for end in outcomes if f'"{one.name}"'.encode() in end.message.headers]
            ours = [end for end in ours if end.message.id not in found.lost and not isinstance(end, Release)]
            for end in ours:
                before[one.name] = 0 if isinstance(end, Ack) else before[one.name] + 1
            assert one.failures == before[one.name]

    @rule(below=st.integers(0, 20), certain=st.booleans())
    def rescue(self, below, certain) -> None:
        self.both("rescue", ME, Evidence("killed", below, below, certain))

    @rule(seconds=st.sampled_from([1.0, 30.0, 90.0]))
    def wait(self, seconds) -> None:
        self.clock.advance(seconds)

    @invariant()
    def both_tell_the_same(self) -> None:
        if hasattr(self, "memory"):
            self.both("schedules")
            self.both("counts")

    @invariant()
    def what_has_stopped_is_never_due(self) -> None:
        if hasattr(self, "memory"):
            assert all(one.next_at is None for one in self.memory.schedules() if one.stopped_at is not None)

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.sqlite.close()
            shutil.rmtree(self.folder)


def _outcome(taken: Message, end: str) -> Ack | Release | Fail:
    outcomes: dict[str, Ack | Release | Fail] = {
        "ack": Ack(taken),
        "keep": Ack(taken, b"1", 60.0),
        "release": Release(taken, error="boom"),
        "later": Release(taken, delay_s=40.0, error="boom"),
        "fail": Fail(taken, "no", Cause("ValueError", "no")),
    }
    return outcomes[end]


SchedulesSameAsMemory.TestCase.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSchedulesSameAsMemory = SchedulesSameAsMemory.TestCase

"""Whatever is done in whatever order, the SQLite transport ends as the plain model in memory does."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from cronq.messages.message import UNTIL_DONE, WHILE_WAITING, Ack, Continue, Fail, Message, Release, State
from cronq.messages.rate import parse
from cronq.transports.exchange import Evidence, Want
from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.rows import record_of
from cronq.transports.sqlite.statements import RECORD
from tests.clocks import FakeClock

if TYPE_CHECKING:
    from cronq.messages.message import Outcome

QUEUES = ("high", "low")
TASKS = ("t", "u")
KEYS = ("k", "l")
SETTLED = (State.BLOCKED, State.RESERVED, State.FAILED, State.DONE)  # whoever looks first calls a delayed one ready
HOLDERS = ("h/high.0/1/1/b", "h/high.1/2/2/b")
RATES = [{}, {"task:t": parse("2/m")}, {"task:t": parse("1/5s"), "queue:high": parse("3/m")}]

_EVERYTHING = f"SELECT {RECORD} FROM messages"  # noqa: S608

holders = st.sampled_from(HOLDERS)
delays = st.sampled_from([0.0, 0.0, 5.0, 30.0])
rates = st.sampled_from(RATES)
withouts = st.sampled_from([(), (), ("u",)])
endings = st.sampled_from(["ack", "keep", "release", "later", "uncounted", "fail", "go on", "then"])
fields = st.fixed_dictionaries(
    {
        "queue": st.sampled_from(QUEUES),
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


class SameAsMemory(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.clock = FakeClock()
        self.folder = tempfile.mkdtemp(dir=_QUICK)
        self.memory = MemoryTransport(self.clock)
        self.sqlite = SqliteTransport(f"{self.folder}/queue.db", "normal", self.clock)
        self.ids: list[str] = []
        self.taken: dict[str, list[Message]] = {holder: [] for holder in HOLDERS}
        self.position = 1
        self.there: set[str] = set()
        self.may_go: set[str] = set()

    def both(self, name: str, *args: object) -> Any:
        expected = getattr(self.memory, name)(*args)
        assert getattr(self.sqlite, name)(*args) == expected
        return expected

    def new_messages(self, many: int, extra: dict[str, Any], delay_s: float = 0.0, **fields: Any) -> list[Message]:
        now = self.clock.now()
        made = []
        for _ in range(many):
            self.ids.append(_id_at(now, len(self.ids)))
            at = now + delay_s if delay_s else 0.0
            known: dict[str, Any] = {"queue": "low", "task": "t", "available_at": at, **fields}
            made.append(_under(Message(id=self.ids[-1], body=b"{}", **known), extra, now))
        return made

    @rule(fields=fields, count=st.integers(1, 4), delay_s=delays)
    def enqueue(self, fields, count, delay_s) -> None:
        self.put(self.new_messages(count, {}, delay_s, **fields))

    @rule(fields=fields, count=st.integers(1, 4), delay_s=delays, extra=terms)
    def enqueue_under_terms(self, fields, count, delay_s, extra) -> None:
        self.put(self.new_messages(count, extra, delay_s, **fields))

    def put(self, messages: list[Message]) -> None:
        absorbed = self.both("enqueue", messages)
        self.there |= {one.id for one in messages if one.id not in absorbed}

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
        self.both("asked_to_stop", holder)

    @rule(holder=holders, wanted=st.permutations(QUEUES), limit=st.integers(1, 5), rates=rates)
    def work(self, holder, wanted, limit, rates) -> None:
        self.exchange(holder, ["ack"] * 5, Want(wanted, self.clock.now() + 60, limit, self.position, (), rates))

    @rule(holder=holders, ends=st.lists(endings, max_size=4), limit=st.integers(0, 3), rates=rates, without=withouts)
    def work_otherwise(self, holder, ends, limit, rates, without) -> None:
        want = Want(QUEUES, self.clock.now() + 60, limit, self.position, without, rates) if limit else None
        self.exchange(holder, ends, want)

    def exchange(self, holder: str, ends: list[str], want: Want | None) -> None:
        mine = self.taken[holder]
        outcomes = [self.outcome(mine.pop(0), end) for end in ends if mine]
        self.may_go = {one.message.id for one in outcomes if isinstance(one, Ack)}
        found = self.both("exchange", holder, outcomes, want)
        self.there |= {
            one.id for outcome in outcomes if isinstance(outcome, Ack) for one in outcome.then
        } & self.alive()
        self.position += len(found.messages)
        mine += found.messages

    def outcome(self, message: Message, end: str) -> Outcome:
        if end == "then":
            part: dict[str, Any] = {} if message.group_id is None else {"part": (message.group_id, message.part)}
            return Ack(message, b"2", then=tuple(self.new_messages(1, {"unique": ("k", 0.0, 0.0), **part})))
        outcomes: dict[str, Outcome] = {
            "ack": Ack(message),
            "keep": Ack(message, b"1", 60.0),
            "release": Release(message, error="boom"),
            "later": Release(message, delay_s=5.0, error="boom"),
            "uncounted": Release(message, uncounted=True),
            "fail": Fail(message, "no"),
            "go on": Continue(message, b"[1]", 5.0),
        }
        return outcomes[end]

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

    @rule(seconds=st.sampled_from([1.0, 5.0, 30.0, 61.0, -7.0, -90.0]))
    def move_the_clock(self, seconds) -> None:
        self.clock.advance(seconds)

    @invariant()
    def both_hold_the_same(self) -> None:
        if not hasattr(self, "memory"):
            return
        held = self.memory.records()
        with self.sqlite._connections.read() as connection:  # one statement instead of one for each state
            stored = {row[0].hex(): record_of(row) for row in connection.execute(_EVERYTHING)}
        assert stored == held
        if not self.both("depth", QUEUES, 100):
            self.both("next_at", QUEUES)

    @invariant()
    def no_more_run_than_may(self) -> None:
        if not hasattr(self, "memory"):
            return
        reserved = [one.message for one in self.memory.records().values() if one.state is State.RESERVED]
        for key in KEYS:
            running = [one for one in reserved if one.running_key == key]
            assert len(running) <= max((one.max_running for one in running), default=0)

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        if hasattr(self, "memory"):
            alive = self.alive()
            assert self.there - alive <= self.may_go
            assert alive <= self.there
            self.there, self.may_go = alive, set()

    def alive(self) -> set[str]:
        return set(self.memory.records())

    def look(self) -> None:
        """Compare what people see."""
        self.both("counts")
        self.both("paused_tasks")
        self.both("depth", ("low",), 2)
        for state in SETTLED:
            self.both("browse", state)
        for group_id in KEYS:
            self.both("results", group_id)
        assert sorted(self.sqlite.held()) == sorted(self.memory.held())

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.look()
            self.sqlite.close()
            shutil.rmtree(self.folder)


def _id_at(now: float, number: int) -> str:
    """Return an id that sorts by its number and tells the time of the clock."""
    return f"{int(now * 1000):012x}{number:020x}"


def _under(message: Message, extra: dict[str, Any], now: float) -> Message:
    """Return the message under terms."""
    if "unique" in extra:
        key, until, replaces = extra["unique"]
        until = now + until if 0 < until < UNTIL_DONE else until
        message = message._replace(unique_key=key, unique_until=until, replaces=replaces)
    if "running" in extra:
        key, most = extra["running"]
        message = message._replace(running_key=key, max_running=most)
    if "gather" in extra:
        message = message._replace(gather=extra["gather"], available_at=now + 10)
    if "part" in extra:
        group_id, part = extra["part"]
        message = message._replace(group_id=group_id, part=part)
    return message._replace(waits_for=extra.get("waits_for"))


_QUICK = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def test_sqlite_does_as_the_plain_model() -> None:
    run_state_machine_as_test(SameAsMemory, settings=_settings(40, 30))


@pytest.mark.slow
def test_sqlite_does_as_the_plain_model_two_thousand_times() -> None:
    run_state_machine_as_test(SameAsMemory, settings=_settings(2000, 50))


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )

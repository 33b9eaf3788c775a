"""The transport in memory and that of SQLite, done the same to, and compared after every step."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cronq.messages import reasons
from cronq.messages.message import UNTIL_DONE, Ack, Continue, Fail, Message, Release, State
from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.rows import record_of
from cronq.transports.sqlite.statements import RECORD
from tests.clocks import FakeClock

if TYPE_CHECKING:
    from cronq.messages.message import Outcome, Record
    from cronq.transports.exchange import Want

KEYS = ("k", "l")
HOLDERS = ("h/high.0/1/1/b", "h/high.1/2/2/b")
SETTLED = (State.BLOCKED, State.RESERVED, State.FAILED, State.DONE)  # whoever looks first calls a delayed one ready
QUEUES = ("high", "low")

_EVERYTHING = f"SELECT {RECORD} FROM messages"  # noqa: S608
_QUICK = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Comparison(RuleBasedStateMachine):
    met: ClassVar[Counter[str]] = Counter()
    """How often situations came about that are easily too seldom for a comparison to say anything of them."""

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

    def put(self, messages: list[Message]) -> None:
        absorbed = self.both("enqueue", messages)
        self.there |= {one.id for one in messages if one.id not in absorbed}

    def exchange(self, holder: str, ends: list[str], want: Want | None) -> None:
        mine = self.taken[holder]
        outcomes = [self.outcome(mine.pop(0), end) for end in ends if mine]
        self.may_go = {one.message.id for one in outcomes if isinstance(one, Ack)}
        before = self.memory.records()
        found = self.both("exchange", holder, outcomes, want)
        self.count_what_was_met(before, found.messages)
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

    def count_what_was_met(self, before: dict[str, Record], taken: list[Message]) -> None:
        """Count the reservations at whose end a rate had no more room, though others waited that it had held back."""
        after = self.memory.records()
        freed = {before[one.id].blocked_by for one in taken if one.id in before}
        still = [one for one in after.values() if one.blocked_by in freed and _is_held_by_rate(one)]
        self.met["a rate ran out among those that waited for it"] += bool(still)
        running = Counter(one.message.running_key for one in after.values() if one.state is State.RESERVED)
        self.met["... and the running key of the next was full, too"] += any(
            one.message.running_key and running[one.message.running_key] >= one.message.max_running for one in still
        )

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


def _is_held_by_rate(record: Record) -> bool:
    return record.state is State.BLOCKED and (record.blocked_by or "").startswith(reasons.RATE)

"""A transport inside one process: for tests, for `sync://`, and as the plain model the others are compared with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cronq.attempts import appended, failed_attempt, read
from cronq.clock import SystemClock
from cronq.ids import enqueued_at
from cronq.message import Ack, Fail, Message, Outcome, QueueCounts, Record, Release, State
from cronq.transports.base import Evidence, Exchange, Held, Rescued, Transport, Want, redeclared, verdict
from cronq.transports.selection import place, selects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cronq.clock import Clock
    from cronq.transports.base import Firing, StoredSchedule
    from cronq.transports.selection import Selection


@dataclass(frozen=True, slots=True)
class _Row:
    message: Message
    state: State
    holder: str | None = None
    until: float = 0.0
    error: str | None = None
    result: bytes | None = None
    finished_at: float | None = None
    keep_until: float | None = None
    error_class: str | None = None
    history: str | None = None


class MemoryTransport(Transport):
    """Keeps rows in a dictionary under one lock."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._rows: dict[str, _Row] = {}
        self._paused: set[str] = set()
        self._schedules: dict[tuple[str, str], StoredSchedule] = {}
        self._guard = threading.RLock()

    def enqueue(self, messages: Sequence[Message]) -> None:
        now = self._clock.now()
        with self._guard:
            for message in messages:
                self._rows[message.id] = _Row(message, _waiting_state(message.available_at, now))

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        with self._guard:
            lost = [outcome.message.id for outcome in outcomes if not self._settle(holder, outcome)]
            if want is None:
                return Exchange([], lost, more=False)
            ready = [row for row in self._ready(want.queues) if row.message.task not in want.without_tasks]
            taken = [self._reserve(holder, row, want, offset) for offset, row in enumerate(ready[: want.limit])]
            return Exchange(taken, lost, more=len(ready) > want.limit)

    def _settle(self, holder: str, outcome: Outcome) -> bool:
        row = self._rows.get(outcome.message.id)
        if row is None or (row.state, row.holder) != (State.RESERVED, holder):
            return False
        if row.message.position != outcome.message.position:
            return False
        now = self._clock.now()
        match outcome:
            case Ack(_, result, keep_s) if keep_s > 0:
                done = replace(
                    row, error=None, error_class=None, result=result, finished_at=now, keep_until=now + keep_s
                )
                self._put(done, State.DONE)
            case Ack():
                del self._rows[row.message.id]
            case Release(_, delay_s, error, uncounted):
                if error is not None:
                    row = _remembering(row, outcome, holder, now)
                message = row.message._replace(
                    available_at=now + delay_s if delay_s else row.message.available_at,
                    attempt=row.message.attempt - uncounted,
                )
                self._put(row, _waiting_state(message.available_at, now), message=message)
            case Fail():
                self._put(_remembering(row, outcome, holder, now), State.FAILED, finished_at=now)
        return True

    def _put(self, row: _Row, state: State, **changes: Any) -> None:
        self._rows[row.message.id] = replace(row, state=state, holder=None, **changes)

    def _ready(self, queues: Sequence[str]) -> Iterator[_Row]:
        now = self._clock.now()
        for row in list(self._rows.values()):
            if row.state is State.DELAYED and row.message.available_at <= now:
                self._rows[row.message.id] = replace(row, state=State.READY)
        for queue in queues:
            if queue not in self._paused:
                rows = [row for row in self._rows.values() if (row.state, row.message.queue) == (State.READY, queue)]
                yield from sorted(rows, key=lambda row: (-row.message.priority, row.message.id))

    def _reserve(self, holder: str, row: _Row, want: Want, offset: int) -> Message:
        message = row.message._replace(attempt=row.message.attempt + 1, position=want.position + offset)
        self._rows[message.id] = replace(row, message=message, state=State.RESERVED, holder=holder, until=want.until)
        return message

    def _where(self, wanted: Callable[[_Row], bool]) -> list[_Row]:
        return [row for row in self._rows.values() if wanted(row)]

    def held(self) -> list[Held]:
        with self._guard:
            by_holder: dict[str, list[float]] = {}
            for row in self._where(lambda row: row.state is State.RESERVED):
                by_holder.setdefault(str(row.holder), []).append(row.until)
        return [Held(holder, len(untils), min(untils)) for holder, untils in sorted(by_holder.items())]

    def extend(self, holder: str, until: float) -> int:
        with self._guard:
            rows = self._where(lambda row: row.state is State.RESERVED and row.holder == holder)
            for row in rows:
                self._rows[row.message.id] = replace(row, until=until)
        return len(rows)

    def rescue(self, holder: str, evidence: Evidence) -> Rescued:
        with self._guard:
            rows = self._where(lambda row: row.state is State.RESERVED and row.holder == holder)
            verdicts = [verdict(row.message, evidence) for row in rows]
            for outcome in verdicts:
                self._settle(holder, outcome)
        return Rescued.by(verdicts)

    def depth(self, queues: Sequence[str], at_most: int) -> int:
        with self._guard:
            return min(at_most, sum(1 for _row in self._ready(queues)))

    def next_at(self, queues: Sequence[str]) -> float | None:
        with self._guard:
            rows = self._where(lambda row: row.state is State.DELAYED and row.message.queue in queues)
            return min((row.message.available_at for row in rows), default=None)

    def counts(self) -> list[QueueCounts]:
        with self._guard:
            rows = list(self._rows.values())
            names = sorted({row.message.queue for row in rows} | self._paused)
            return [self._count(name, [row for row in rows if row.message.queue == name]) for name in names]

    def _count(self, queue: str, rows: list[_Row]) -> QueueCounts:
        now = self._clock.now()
        states = [
            State.READY if row.state is State.DELAYED and row.message.available_at <= now else row.state for row in rows
        ]
        waiting_since = [
            row.message.available_at or enqueued_at(row.message.id)
            for row, state in zip(rows, states, strict=True)
            if state is State.READY
        ]
        return QueueCounts(
            queue,
            ready=states.count(State.READY),
            delayed=states.count(State.DELAYED),
            reserved=states.count(State.RESERVED),
            failed=states.count(State.FAILED),
            done=states.count(State.DONE),
            oldest_at=min(waiting_since, default=None),
            paused=queue in self._paused,
        )

    def find(self, message_id: str) -> Record | None:
        with self._guard:
            row = self._rows.get(message_id)
        return None if row is None else _record(row)

    def select(self, selection: Selection) -> list[Record]:
        with self._guard:
            records = [_record(row) for row in self._rows.values()]
        return sorted((one for one in records if selects(selection, one)), key=place)[: selection.at_most]

    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        now = self._clock.now()
        revived = 0
        with self._guard:
            for number, message_id in enumerate(message_ids):
                row = self._rows.get(message_id)
                if row is not None and row.state is State.FAILED:
                    at = (now if first_at is None else first_at) + number * every_s
                    message = row.message._replace(attempt=0, available_at=at)
                    self._put(row, _waiting_state(at, now), message=message, finished_at=None)
                    revived += 1
        return revived

    def amend(self, message_id: str, body: bytes) -> bool:
        with self._guard:
            row = self._rows.get(message_id)
            if row is None or row.state is not State.FAILED:
                return False
            self._put(row, State.FAILED, message=row.message._replace(body=body))
        return True

    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        return self._delete(
            lambda row: row.state is not State.RESERVED and only in {None, row.state} and row.message.id in message_ids
        )

    def flush(self, queue: str) -> int:
        return self._delete(lambda row: row.state is not State.RESERVED and row.message.queue == queue)

    def prune(self, failed_keep_s: float, at_most: int) -> int:
        now = self._clock.now()
        return self._delete(
            lambda row: (
                (row.state is State.DONE and (row.keep_until or 0.0) <= now)
                or (row.state is State.FAILED and (row.finished_at or now) + failed_keep_s <= now)
            ),
            at_most,
        )

    def _delete(self, wanted: Callable[[_Row], bool], at_most: int | None = None) -> int:
        with self._guard:
            doomed = self._where(wanted)[:at_most]
            for row in doomed:
                del self._rows[row.message.id]
        return len(doomed)

    def pause(self, queue: str, paused: bool) -> None:
        with self._guard:
            if paused:
                self._paused.add(queue)
            else:
                self._paused.discard(queue)

    def schedules(self) -> list[StoredSchedule]:
        with self._guard:
            return sorted(self._schedules.values(), key=lambda one: (one.name, one.source))

    def declare(self, source: str, schedules: Sequence[StoredSchedule]) -> None:
        with self._guard:
            now, before = self._clock.now(), self._schedules
            kept = {key: one for key, one in before.items() if one.source != source}
            new = {(source, one.name): redeclared(before.get((source, one.name)), one, now) for one in schedules}
            self._schedules = kept | new

    def fire(self, firing: Firing) -> bool:
        key = firing.schedule[:2]
        with self._guard:
            stored = self._schedules.get(key)
            if stored is None or stored.next_at != firing.schedule.next_at:
                return False
            self.enqueue(firing.messages)
            fired = stored._replace(next_at=firing.next_at)
            if firing.messages:
                fired = fired._replace(last_at=self._clock.now(), last_message_id=firing.messages[-1].id)
            self._schedules[key] = fired
        return True

    def close(self) -> None:
        """Nothing to give up: the messages live as long as this object."""


def _waiting_state(available_at: float, now: float) -> State:
    return State.DELAYED if available_at > now else State.READY


def _remembering(row: _Row, outcome: Release | Fail, holder: str, now: float) -> _Row:
    attempt = failed_attempt(outcome.message.attempt, outcome.error or "", outcome.cause, holder, now)
    history = appended(row.history, attempt)
    return replace(row, error=outcome.error, error_class=attempt.error_class, history=history)


def _record(row: _Row) -> Record:
    return Record(
        row.message,
        row.state,
        row.holder,
        row.error,
        row.result,
        row.finished_at,
        row.keep_until,
        row.error_class,
        read(row.history),
    )

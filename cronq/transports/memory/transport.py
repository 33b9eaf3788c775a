"""A transport inside one process: for tests, for `sync://`, and as the plain model the others are compared with."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from cronq.clock import SystemClock
from cronq.messages import reasons
from cronq.messages.message import WAITING, State
from cronq.transports.base import Transport, do_nothing
from cronq.transports.exchange import Exchange, Held, Those
from cronq.transports.memory import reservation
from cronq.transports.memory.blocked_messages import after, free, sweep
from cronq.transports.memory.counts import count
from cronq.transports.memory.insertion import enqueue
from cronq.transports.memory.rows import record
from cronq.transports.memory.settlement import put_back, settle
from cronq.transports.memory.tables import Tables
from cronq.transports.selection import place, selects, statistics_of
from cronq.transports.verdict import Rescued, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.clock import Clock
    from cronq.messages.message import Message, Outcome, QueueCounts, Record
    from cronq.schedules.stored import Fired, Firing, StoredSchedule
    from cronq.transports.abilities.queues import Shown
    from cronq.transports.exchange import Evidence, Want
    from cronq.transports.memory.rows import Row
    from cronq.transports.selection import Selection, Statistic


class MemoryTransport(Transport):
    """Keeps everything in dictionaries under one lock."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._tables = Tables()
        self._guard = threading.RLock()

    def enqueue(self, messages: Sequence[Message], shown: Shown = do_nothing) -> Mapping[str, str]:
        with self._guard:
            absorbed = enqueue(self._tables, messages, self._clock.now())
        shown(absorbed)
        return absorbed

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        with self._guard:
            lost = self._settle(holder, outcomes)
            if want is None or (not outcomes and not self._has_some(want)):
                return Exchange([], lost, more=False)
            messages, more = reservation.reserve(self._tables, holder, want, self._clock.now())
            return Exchange(messages, lost, more)

    def _settle(self, holder: str, outcomes: Sequence[Outcome]) -> list[str]:
        return settle(self._tables, holder, outcomes, self._clock.now(), self.enqueue)

    def _has_some(self, want: Want) -> bool:
        those = Those(want.queues, want.without_tasks)
        return reservation.depth(self._tables, those, 1, self._clock.now(), want.rates) > 0

    def held(self) -> list[Held]:
        with self._guard:
            by_holder: dict[str, list[float]] = {}
            for row in self._tables.where(lambda row: row.state is State.RESERVED):
                by_holder.setdefault(str(row.holder), []).append(row.until)
        return [Held(holder, len(untils), min(untils)) for holder, untils in sorted(by_holder.items())]

    def extend(self, holder: str, until: float) -> int:
        with self._guard:
            rows = self._tables.held_by(holder)
            for row in rows:
                self._tables.put(replace(row, until=until))
        return len(rows)

    def rescue(self, holder: str, evidence: Evidence) -> Rescued:
        with self._guard:
            verdicts = [verdict(row.message, evidence) for row in self._tables.held_by(holder)]
            self._settle(holder, verdicts)
        return Rescued.by(verdicts)

    def depth(self, queues: Sequence[str], at_most: int, without_tasks: Sequence[str] = ()) -> int:
        with self._guard:
            return reservation.depth(self._tables, Those(queues, without_tasks), at_most, self._clock.now())

    def next_at(self, queues: Sequence[str], without_tasks: Sequence[str] = ()) -> float | None:
        with self._guard:
            return reservation.next_at(self._tables, Those(queues, without_tasks), self._clock.now())

    def results(self, group_id: str) -> dict[int, bytes | None]:
        with self._guard:
            done = self._tables.where(lambda row: row.state is State.DONE and row.message.group_id == group_id)
        return {row.message.part: row.result for row in sorted(done, key=lambda row: row.message.id)}

    def counts(self) -> list[QueueCounts]:
        with self._guard:
            return count(self._tables, self._clock.now())

    def find(self, message_id: str) -> Record | None:
        with self._guard:
            row = self._tables.rows.get(message_id)
        return None if row is None else record(row)

    def records(self) -> dict[str, Record]:
        """Return everything, by id: for tests."""
        with self._guard:
            return {message_id: record(row) for message_id, row in self._tables.rows.items()}

    def held_at(self, holder: str, position: int) -> Message | None:
        with self._guard:
            held = [row.message for row in self._tables.held_by(holder)]
        return next((message for message in held if message.position == position), None)

    def select(self, selection: Selection) -> list[Record]:
        with self._guard:
            records = [record(row) for row in self._tables.rows.values()]
        return sorted((one for one in records if selects(selection, one)), key=place)[: selection.at_most]

    def starting_with(self, digits: str, at_most: int) -> list[str]:
        with self._guard:
            return sorted(one for one in self._tables.rows if one.startswith(digits))[:at_most]

    def statistics(self, selection: Selection) -> list[Statistic]:
        return statistics_of(self.select(selection))

    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        now = self._clock.now()
        revived = 0
        with self._guard:
            for number, message_id in enumerate(message_ids):
                row = self._tables.rows.get(message_id)
                if row is not None and row.state is State.FAILED:
                    at = (now if first_at is None else first_at) + number * every_s
                    message = row.message._replace(attempt=0, available_at=at, stop=False)
                    put_back(self._tables, replace(row, message=message, finished_at=None), now)
                    revived += 1
        return revived

    def amend(self, message_id: str, body: bytes, headers: bytes) -> bool:
        with self._guard:
            row = self._tables.rows.get(message_id)
            if row is None or row.state is not State.FAILED:
                return False
            self._tables.put(replace(row, message=row.message._replace(body=body, headers=headers)))
        return True

    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        return self._delete(
            lambda row: row.state is not State.RESERVED and only in {None, row.state} and row.message.id in message_ids
        )

    def cancel(self, message_ids: Sequence[str]) -> int:
        return self._delete(lambda row: row.state in WAITING and row.message.id in message_ids)

    def ask_to_stop(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        with self._guard:
            held = self._tables.where(lambda row: row.state is State.RESERVED and row.message.id in message_ids)
            for row in held:
                self._tables.put(replace(row, message=row.message._replace(stop=True)))
        return {row.message.id: str(row.holder) for row in held}

    def asked_to_stop(self, holder: str) -> list[str]:
        with self._guard:
            held = self._tables.held_by(holder)
        return [row.message.id for row in held if row.message.stop]

    def waiting(self, queue: str, at_most: int) -> int:
        with self._guard:
            found = self._tables.where(lambda row: row.state in WAITING and row.message.queue == queue)
        return min(at_most, len(found))

    def stored_bytes(self) -> int:
        return 0

    def flush(self, queue: str) -> int:
        return self._delete(lambda row: row.state is not State.RESERVED and row.message.queue == queue)

    def prune(self, failed_keep_s: float, at_most: int) -> int:
        now = self._clock.now()
        with self._guard:
            sweep(self._tables, now)
            return self._delete(
                lambda row: (
                    (row.state is State.DONE and (row.keep_until or 0.0) <= now)
                    or (row.state is State.FAILED and (row.finished_at or now) + failed_keep_s <= now)
                ),
                at_most,
            )

    def _delete(self, wanted: Callable[[Row], bool], at_most: int | None = None) -> int:
        with self._guard:
            doomed = self._tables.where(wanted)[:at_most]
            for row in doomed:
                del self._tables.rows[row.message.id]
            after(self._tables, [row.message for row in doomed], self._clock.now())
        return len(doomed)

    def pause(self, queue: str, paused: bool) -> None:
        self._set_paused(queue, paused)

    def pause_task(self, task: str, paused: bool) -> None:
        with self._guard:
            self._set_paused(reasons.paused_task(task), paused)
            if not paused:
                free(self._tables, reasons.paused_task(task), self._clock.now())

    def _set_paused(self, name: str, paused: bool) -> None:
        with self._guard:
            if paused:
                self._tables.paused.add(name)
            else:
                self._tables.paused.discard(name)

    def paused_tasks(self) -> list[str]:
        with self._guard:
            return sorted(name.removeprefix(reasons.TASK) for name in self._tables.paused if ":" in name)

    def schedules(self) -> list[StoredSchedule]:
        with self._guard:
            return self._tables.schedules.all()

    def declare(self, source: str, schedules: Sequence[StoredSchedule], only: Sequence[str] | None = None) -> None:
        with self._guard:
            self._tables.schedules.declare(source, schedules, only, self._clock.now())

    def revise(self, old: StoredSchedule, new: StoredSchedule) -> bool:
        with self._guard:
            return self._tables.schedules.revise(old, new)

    def fire(self, firing: Firing) -> Fired:
        with self._guard:
            return self._tables.schedules.fire(firing, self._clock.now(), self.enqueue)

    def close(self) -> None:
        """Nothing to give up: the messages live as long as this object."""

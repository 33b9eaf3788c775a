"""A transport inside one process: for tests, for `sync://`, and as the plain model the others are compared with."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from cronq.clock import SystemClock
from cronq.messages import reasons
from cronq.messages.message import WAITING, Ack, Continue, Fail, Message, Outcome, QueueCounts, Record, Release, State
from cronq.transports.base import Transport, do_nothing
from cronq.transports.exchange import Exchange, Held
from cronq.transports.gate import Candidate, Gate, Known, sift
from cronq.transports.memory import blocked_messages as terms
from cronq.transports.memory.rows import Row, Rows, count, is_held_by_rate, rate_name, record, remembering, waiting
from cronq.transports.memory.schedule_rows import MemorySchedules
from cronq.transports.selection import place, selects
from cronq.transports.term_rules import allowed
from cronq.transports.verdict import Rescued, verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cronq.clock import Clock
    from cronq.messages.rate import Meter, Rate
    from cronq.schedules.stored import Fired, Firing, StoredSchedule
    from cronq.transports.abilities.queues import Shown
    from cronq.transports.exchange import Want
    from cronq.transports.selection import Selection
    from cronq.transports.verdict import Evidence


class MemoryTransport(Transport):
    """Keeps rows in a dictionary under one lock."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._rows: Rows = {}
        self._paused: set[str] = set()
        """Queues, and tasks as `reasons.paused_task` names them."""
        self._meters: dict[str, Meter] = {}
        self._schedules = MemorySchedules(self._state_of)
        self._guard = threading.RLock()

    def enqueue(self, messages: Sequence[Message], shown: Shown = do_nothing) -> Mapping[str, str]:
        now = self._clock.now()
        with self._guard:
            absorbed = terms.enqueue(self._rows, messages, now)
        shown(absorbed)
        return absorbed

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        with self._guard:
            lost = self._settle_all(holder, outcomes)
            if want is None or (not outcomes and not self._depth(want.queues, 1, want.rates)):
                return Exchange([], lost, more=False)
            messages, more = self._reserve(holder, want)
            return Exchange(messages, lost, more)

    def _settle_all(self, holder: str, outcomes: Sequence[Outcome]) -> list[str]:
        """Write outcomes down; return which came too late."""
        settled = [outcome for outcome in outcomes if self._settle(holder, outcome)]
        ended = [one.message if isinstance(one, Ack) else one.message._replace(waits_for=None) for one in settled]
        terms.after(self._rows, ended, self._clock.now())
        written = {id(outcome) for outcome in settled}
        return [outcome.message.id for outcome in outcomes if id(outcome) not in written]

    def _settle(self, holder: str, outcome: Outcome) -> bool:
        row = self._rows.get(outcome.message.id)
        if row is None or (row.state, row.holder) != (State.RESERVED, holder):
            return False
        if row.message.position != outcome.message.position:
            return False
        now = self._clock.now()
        match outcome:
            case Ack():
                self._ack(row, outcome, now)
            case Release():
                self._release(row, outcome, holder, now)
            case Continue(_, cursor, delay_s):
                message = row.message._replace(available_at=now + delay_s if delay_s else 0.0, attempt=0, cursor=cursor)
                self._put(replace(row, message=message, error=None, error_class=None, history=None), now)
            case Fail():
                message = row.message._replace(gather=0)
                failed = replace(remembering(row, outcome, holder, now), message=message, finished_at=now)
                self._rows[message.id] = replace(failed, state=State.FAILED, holder=None)
        self._schedules.end(outcome, now)
        if not isinstance(outcome, Release) and outcome.then:
            self.enqueue(outcome.then)
        return True

    def _ack(self, row: Row, ack: Ack, now: float) -> None:
        kept = terms.keep_until(self._rows, ack, now)
        if kept is None:
            del self._rows[row.message.id]
            return
        done = replace(row, error=None, error_class=None, result=ack.result, finished_at=now)
        self._rows[row.message.id] = replace(done, state=State.DONE, holder=None, keep_until=kept[0], until=kept[1])

    def _release(self, row: Row, release: Release, holder: str, now: float) -> None:
        if release.error is not None:
            row = remembering(row, release, holder, now)
        message = row.message._replace(
            available_at=now + release.delay_s if release.delay_s else min(now, row.message.available_at),
            attempt=row.message.attempt - release.uncounted,
            gather=row.message.gather if release.uncounted else 0,
        )
        self._put(replace(row, message=message), now)

    def _put(self, row: Row, now: float) -> None:
        label = reasons.batch(row.message.queue, row.message.task) if row.message.gather else None
        self._rows[row.message.id] = waiting(row, now, label)

    def _unpaused(self, queues: Sequence[str]) -> list[str]:
        return [queue for queue in queues if queue not in self._paused]

    def _ready(self, queue: str) -> list[Row]:
        """Return the rows of a queue that are ready, or whose time has come."""
        now = self._clock.now()
        return self._where(
            lambda row: (
                row.message.queue == queue
                and (row.state is State.READY or (row.state is State.DELAYED and row.message.available_at <= now))
            )
        )

    def _reserve(self, holder: str, want: Want) -> tuple[list[Message], bool]:
        gate = Gate(self._paused, want.rates, Known(self._count_running, self._meters.get), self._clock.now())
        for name in self._waiting_rates():
            gate.room(name)
        taken: list[Message] = []
        passed_by: list[str] = []
        wanted, more = want.limit, False
        for candidates in self._candidates(want, gate):
            sifted = sift(candidates, wanted - len(taken), gate, self._gathered, bool(taken))
            for message, why in sifted.refused:
                self._rows[message.id] = replace(self._rows[message.id], state=State.BLOCKED, blocked_by=why)
            taken += sifted.taken
            passed_by += sifted.passed_by
            wanted = len(taken) if sifted.is_batch else wanted
            more = any(gate.may_pass(one) for one in sifted.left)
            if more:
                break
        reserved = [self._take(holder, one, want, number) for number, one in enumerate(taken, want.position)]
        self._meters |= gate.meters
        terms.make_room(self._rows, passed_by, self._clock.now())
        return reserved, more

    def _candidates(self, want: Want, gate: Gate) -> Iterator[list[Candidate]]:
        """Return what may be reserved from each queue, the next to run first."""
        for queue in self._unpaused(want.queues):
            ready = self._ready(queue)
            for row in ready:
                self._rows[row.message.id] = replace(row, state=State.READY)
            rows = ready + [row for row in self._held_by_rates(queue) if gate.room(rate_name(row))]
            yield [
                Candidate(row.message, row.blocked_by if row.state is State.BLOCKED else None)
                for row in sorted(rows, key=lambda row: row.order)
                if row.message.task not in want.without_tasks
            ]

    def _gathered(self, leader: Message) -> list[Message]:
        return [row.message for row in terms.gathered(self._rows, leader)]

    def _count_running(self, key: str) -> int:
        return len(self._where(lambda row: row.state is State.RESERVED and row.message.running_key == key))

    def _held_by_rates(self, queue: str) -> list[Row]:
        return self._where(lambda row: is_held_by_rate(row) and row.message.queue == queue)

    def _waiting_rates(self) -> list[str]:
        return sorted({rate_name(row) for row in self._where(is_held_by_rate)})

    def _take(self, holder: str, message: Message, want: Want, position: int) -> Message:
        row = self._rows[message.id]
        taken = message.reserved(position)
        self._rows[message.id] = replace(
            row, message=taken, state=State.RESERVED, holder=holder, until=want.until, blocked_by=None
        )
        return taken

    def _where(self, wanted: Callable[[Row], bool]) -> list[Row]:
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
            self._settle_all(holder, verdicts)
        return Rescued.by(verdicts)

    def depth(self, queues: Sequence[str], at_most: int) -> int:
        with self._guard:
            return self._depth(queues, at_most)

    def _depth(self, queues: Sequence[str], at_most: int, rates: Mapping[str, Rate] | None = None) -> int:
        unpaused = self._unpaused(queues)
        found = sum(len(self._ready(queue)) for queue in unpaused)
        for name in self._waiting_rates():
            held = [row for queue in unpaused for row in self._held_by_rates(queue) if rate_name(row) == name]
            found += min(len(held), allowed(self._meters[name], name, rates, self._clock.now()))
        return min(at_most, found)

    def next_at(self, queues: Sequence[str]) -> float | None:
        now = self._clock.now()
        with self._guard:
            unpaused = self._unpaused(queues)
            delayed = self._where(lambda row: row.state is State.DELAYED and row.message.queue in unpaused)
            held = {rate_name(row) for queue in unpaused for row in self._held_by_rates(queue)}
            times = [row.message.available_at for row in delayed]
            return min([*times, *(self._meters[name].next_at(now) for name in held)], default=None)

    def results(self, group_id: str) -> dict[int, bytes | None]:
        with self._guard:
            done = self._where(lambda row: row.state is State.DONE and row.message.group_id == group_id)
        return {row.message.part: row.result for row in sorted(done, key=lambda row: row.message.id)}

    def counts(self) -> list[QueueCounts]:
        with self._guard:
            rows, paused = list(self._rows.values()), {one for one in self._paused if ":" not in one}
            names = sorted({row.message.queue for row in rows} | paused)
            return [
                count(name, [row for row in rows if row.message.queue == name], name in paused, self._clock.now())
                for name in names
            ]

    def find(self, message_id: str) -> Record | None:
        with self._guard:
            row = self._rows.get(message_id)
        return None if row is None else record(row)

    def records(self) -> dict[str, Record]:
        """Return everything, by id: for tests."""
        with self._guard:
            return {message_id: record(row) for message_id, row in self._rows.items()}

    def select(self, selection: Selection) -> list[Record]:
        with self._guard:
            records = [record(row) for row in self._rows.values()]
        return sorted((one for one in records if selects(selection, one)), key=place)[: selection.at_most]

    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        now = self._clock.now()
        revived = 0
        with self._guard:
            for number, message_id in enumerate(message_ids):
                row = self._rows.get(message_id)
                if row is not None and row.state is State.FAILED:
                    at = (now if first_at is None else first_at) + number * every_s
                    message = row.message._replace(attempt=0, available_at=at, stop=False)
                    self._put(replace(row, message=message, finished_at=None), now)
                    revived += 1
        return revived

    def amend(self, message_id: str, body: bytes) -> bool:
        with self._guard:
            row = self._rows.get(message_id)
            if row is None or row.state is not State.FAILED:
                return False
            self._rows[message_id] = replace(row, message=row.message._replace(body=body))
        return True

    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        return self._delete(
            lambda row: row.state is not State.RESERVED and only in {None, row.state} and row.message.id in message_ids
        )

    def cancel(self, message_ids: Sequence[str]) -> int:
        return self._delete(lambda row: row.state in WAITING and row.message.id in message_ids)

    def ask_to_stop(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        with self._guard:
            held = self._where(lambda row: row.state is State.RESERVED and row.message.id in message_ids)
            for row in held:
                self._rows[row.message.id] = replace(row, message=row.message._replace(stop=True))
        return {row.message.id: str(row.holder) for row in held}

    def asked_to_stop(self, holder: str) -> list[str]:
        with self._guard:
            held = self._where(lambda row: row.state is State.RESERVED and row.holder == holder)
        return [row.message.id for row in held if row.message.stop]

    def flush(self, queue: str) -> int:
        return self._delete(lambda row: row.state is not State.RESERVED and row.message.queue == queue)

    def prune(self, failed_keep_s: float, at_most: int) -> int:
        now = self._clock.now()
        with self._guard:
            terms.sweep(self._rows, self._paused, self._meters, now)
            return self._delete(
                lambda row: (
                    (row.state is State.DONE and (row.keep_until or 0.0) <= now)
                    or (row.state is State.FAILED and (row.finished_at or now) + failed_keep_s <= now)
                ),
                at_most,
            )

    def _delete(self, wanted: Callable[[Row], bool], at_most: int | None = None) -> int:
        with self._guard:
            doomed = self._where(wanted)[:at_most]
            for row in doomed:
                del self._rows[row.message.id]
            terms.after(self._rows, [row.message for row in doomed], self._clock.now())
        return len(doomed)

    def pause(self, queue: str, paused: bool) -> None:
        self._set_paused(queue, paused)

    def pause_task(self, task: str, paused: bool) -> None:
        with self._guard:
            self._set_paused(reasons.paused_task(task), paused)
            if not paused:
                terms.free(self._rows, reasons.paused_task(task), self._clock.now())

    def _set_paused(self, name: str, paused: bool) -> None:
        with self._guard:
            if paused:
                self._paused.add(name)
            else:
                self._paused.discard(name)

    def paused_tasks(self) -> list[str]:
        with self._guard:
            return sorted(name.removeprefix(reasons.TASK) for name in self._paused if ":" in name)

    def schedules(self) -> list[StoredSchedule]:
        with self._guard:
            return self._schedules.all()

    def declare(self, source: str, schedules: Sequence[StoredSchedule], only: Sequence[str] | None = None) -> None:
        with self._guard:
            self._schedules.declare(source, schedules, only, self._clock.now())

    def revise(self, old: StoredSchedule, new: StoredSchedule) -> bool:
        with self._guard:
            return self._schedules.revise(old, new)

    def fire(self, firing: Firing) -> Fired:
        with self._guard:
            return self._schedules.fire(firing, self._clock.now(), self.enqueue)

    def _state_of(self, message_id: str) -> State | None:
        row = self._rows.get(message_id)
        return None if row is None else row.state

    def close(self) -> None:
        """Nothing to give up: the messages live as long as this object."""

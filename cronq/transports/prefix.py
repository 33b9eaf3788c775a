"""Several installations on one server: each sees its own queues, tasks, schedules and reservations, by a prefix.

The prefix exists in the stored names alone: what goes in gets it, what comes out has lost it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import UsageError
from cronq.messages import reasons
from cronq.messages.message import State
from cronq.schedules.stored import of_schedule
from cronq.transports.abilities.copies import Copies
from cronq.transports.abilities.demand import demanded
from cronq.transports.abilities.replays import Replays
from cronq.transports.abilities.shared_transactions import SharedTransactions
from cronq.transports.base import Transport, do_nothing
from cronq.transports.selection import Selection, Statistic, statistics_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cronq.clock import Clock
    from cronq.host.spool import Mark
    from cronq.messages.message import Message, Outcome, QueueCounts, Record
    from cronq.schedules.stored import Fired, Firing, StoredSchedule
    from cronq.transports.abilities.copies import Copy
    from cronq.transports.abilities.queues import Shown
    from cronq.transports.exchange import Evidence, Exchange, Held, Want
    from cronq.transports.verdict import Rescued

_FOR_EVER_S = 1e12
_PAGE = 500


class Prefixed(Transport):
    """Another transport, under a prefix. Holders carry it as well, or a tick would take its neighbour's for dead."""

    def __init__(self, inner: Transport, prefix: str, clock: Clock) -> None:
        self.inner = inner
        self._prefix = prefix.replace(":", "+")  # no colon: transports join names with it, and no name has a plus
        self._clock = clock

    def has(self, ability: type) -> bool:
        return self.inner.has(ability)

    def enqueue(self, messages: Sequence[Message], shown: Shown = do_nothing) -> Mapping[str, str]:
        return self.inner.enqueue(self._stored_all(messages), shown)

    def enqueue_in(self, connection: object, messages: Sequence[Message]) -> None:
        demanded(self.inner, SharedTransactions).enqueue_in(connection, self._stored_all(messages))

    def replayed(self, spool: str) -> Mark | None:
        return demanded(self.inner, Replays).replayed(spool)

    def replay(
        self, spool: str, before: Mark | None, after: Mark, messages: Sequence[Message], shown: Shown = do_nothing
    ) -> Mapping[str, str] | None:
        return demanded(self.inner, Replays).replay(spool, before, after, self._stored_all(messages), shown)

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        if want is not None:
            want = want._replace(
                queues=self._named(want.queues),
                without_tasks=self._named(want.without_tasks),
                rates={_renamed_rate(name, self._with): rate for name, rate in want.rates.items()},
            )
        exchange = self.inner.exchange(self._prefix + holder, [self._outcome(one) for one in outcomes], want)
        return exchange._replace(messages=[self._shown(message) for message in exchange.messages])

    def held(self) -> list[Held]:
        ours = (one for one in self.inner.held() if one.holder.startswith(self._prefix))
        return [one._replace(holder=self._without(one.holder)) for one in ours]

    def extend(self, holder: str, until: float) -> int:
        return self.inner.extend(self._prefix + holder, until)

    def rescue(self, holder: str, evidence: Evidence) -> Rescued:
        return self.inner.rescue(self._prefix + holder, evidence._replace(prefix=self._prefix))

    def depth(self, queues: Sequence[str], at_most: int, without_tasks: Sequence[str] = ()) -> int:
        return self.inner.depth(self._named(queues), at_most, self._named(without_tasks))

    def next_at(self, queues: Sequence[str], without_tasks: Sequence[str] = ()) -> float | None:
        return self.inner.next_at(self._named(queues), self._named(without_tasks))

    def results(self, group_id: str) -> dict[int, bytes | None]:
        return self.inner.results(group_id)

    def counts(self) -> list[QueueCounts]:
        return self._ours(self.inner.counts())

    def glance(self) -> list[QueueCounts]:
        return self._ours(self.inner.glance())

    def _ours(self, counts: list[QueueCounts]) -> list[QueueCounts]:
        ours = (one for one in counts if one.queue.startswith(self._prefix))
        return [one._replace(queue=self._without(one.queue)) for one in ours]

    def find(self, message_id: str) -> Record | None:
        record = self.inner.find(message_id)
        return None if record is None or not self._is_ours(record) else self._record(record)

    def held_at(self, holder: str, position: int) -> Message | None:
        message = self.inner.held_at(self._prefix + holder, position)
        return None if message is None else self._shown(message)

    def select(self, selection: Selection) -> list[Record]:
        """Return a page of ours. Without a queue, pages of all are read until enough of them are."""
        selection = self._of_store(selection)
        if selection.queue is not None:
            return [self._record(record) for record in self.inner.select(selection)]
        found: list[Record] = []
        while page := self.inner.select(selection._replace(at_most=max(_PAGE, selection.at_most))):
            found += [self._record(record) for record in page if self._is_ours(record)]
            if len(found) >= selection.at_most:
                break
            selection = selection._replace(after=page[-1])
        return found[: selection.at_most]

    def _of_store(self, selection: Selection) -> Selection:
        return selection._replace(
            queue=None if selection.queue is None else self._prefix + selection.queue,
            task=None if selection.task is None else self._prefix + selection.task,
            after=None if selection.after is None else self._stored_record(selection.after),
        )

    def starting_with(self, digits: str, at_most: int) -> list[str]:
        """Return ours. Those of others are asked for along with them until enough are ours."""
        asked = at_most
        while True:
            found = self.inner.starting_with(digits, asked)
            ours = [one for one in found if self.find(one) is not None]
            if len(ours) >= at_most or len(found) < asked:
                return ours[:at_most]
            asked *= 4

    def statistics(self, selection: Selection) -> list[Statistic]:
        """Count ours. Without a queue they are looked through, since others' messages must not count."""
        if selection.queue is None:
            return statistics_of(self._each(selection))
        counted = self.inner.statistics(self._of_store(selection))
        return [one._replace(queue=self._without(one.queue), task=self._without(one.task)) for one in counted]

    def _each(self, selection: Selection) -> Iterator[Record]:
        left = selection.at_most
        while page := self.select(selection._replace(at_most=min(_PAGE, left))):
            yield from page
            left -= len(page)
            selection = selection._replace(after=page[-1])

    def revive(self, message_ids: Sequence[str], first_at: float | None = None, every_s: float = 0.0) -> int:
        return self.inner.revive(message_ids, first_at, every_s)

    def amend(self, message_id: str, body: bytes, headers: bytes) -> bool:
        return self.inner.amend(message_id, body, headers)

    def remove(self, message_ids: Sequence[str], only: State | None = None) -> int:
        return self.inner.remove(message_ids, only)

    def cancel(self, message_ids: Sequence[str]) -> int:
        return self.inner.cancel(message_ids)

    def ask_to_stop(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        held = self.inner.ask_to_stop(message_ids)
        return {message_id: self._without(holder) for message_id, holder in held.items()}

    def asked_to_stop(self, holder: str) -> list[str]:
        return self.inner.asked_to_stop(self._prefix + holder)

    def waiting(self, queue: str, at_most: int) -> int:
        return self.inner.waiting(self._prefix + queue, at_most)

    def stored_bytes(self) -> int:
        return self.inner.stored_bytes()

    def flush(self, queue: str) -> int:
        return self.inner.flush(self._prefix + queue)

    def pause(self, queue: str, paused: bool) -> None:
        self.inner.pause(self._prefix + queue, paused)

    def pause_task(self, task: str, paused: bool) -> None:
        self.inner.pause_task(self._prefix + task, paused)

    def paused_tasks(self) -> list[str]:
        return [self._without(name) for name in self.inner.paused_tasks() if name.startswith(self._prefix)]

    def prune(self, failed_keep_s: float, at_most: int) -> int:
        """Results say themselves how long they are kept; failures of others have a retention that is not ours."""
        pruned = self.inner.prune(_FOR_EVER_S, at_most)
        until = self._clock.now() - failed_keep_s
        old = self.select(Selection(State.FAILED, until=until, at_most=max(0, at_most - pruned)))
        return pruned + (self.remove([record.message.id for record in old], State.FAILED) if old else 0)

    def schedules(self) -> list[StoredSchedule]:
        ours = (one for one in self.inner.schedules() if one.source.startswith(self._prefix))
        return [one._replace(source=self._without(one.source), name=self._without(one.name)) for one in ours]

    def declare(self, source: str, schedules: Sequence[StoredSchedule], only: Sequence[str] | None = None) -> None:
        stored = [self._stored_schedule(one) for one in schedules]
        self.inner.declare(self._prefix + source, stored, None if only is None else self._named(only))

    def revise(self, old: StoredSchedule, new: StoredSchedule) -> bool:
        return self.inner.revise(self._stored_schedule(old), self._stored_schedule(new))

    def fire(self, firing: Firing) -> Fired:
        schedule = self._stored_schedule(firing.schedule)
        return self.inner.fire(firing._replace(schedule=schedule, messages=self._stored_all(firing.messages)))

    def backup(self, path: str) -> Copy:
        """Write a copy of the whole database, neighbours included."""
        return demanded(self.inner, Copies).backup(path)

    def restore(self, path: str) -> Copy:
        raise UsageError(
            f"{path}: with a queue_prefix the database is shared, and what others have in it would be replaced, too: "
            f"stop them all, then restore with CRONQ_QUEUE_PREFIX= (empty)"
        )

    def is_busy(self) -> bool:
        return self.inner.is_busy()

    def close(self) -> None:
        self.inner.close()

    def _named(self, names: Iterable[str]) -> list[str]:
        return [self._prefix + name for name in names]

    def _with(self, name: str) -> str:
        return self._prefix + name

    def _without(self, name: str) -> str:
        return name.removeprefix(self._prefix)

    def _stored(self, message: Message) -> Message:
        return _renamed(message, self._with)

    def _stored_all(self, messages: Iterable[Message]) -> tuple[Message, ...]:
        return tuple(self._stored(message) for message in messages)

    def _shown(self, message: Message) -> Message:
        return _renamed(message, self._without)

    def _outcome(self, outcome: Any) -> Outcome:
        """Return an outcome as it is stored: the message it is about, and what follows it."""
        changes: dict[str, Any] = {"message": self._stored(outcome.message)}
        if getattr(outcome, "then", ()):
            changes["then"] = self._stored_all(outcome.then)
        changed: Outcome = outcome._replace(**changes)
        return changed

    def _stored_schedule(self, one: StoredSchedule) -> StoredSchedule:
        return one._replace(source=self._prefix + one.source, name=self._prefix + one.name)

    def _is_ours(self, record: Record) -> bool:
        return record.message.queue.startswith(self._prefix)

    def _record(self, record: Record) -> Record:
        attempts = tuple(one._replace(host=self._without(one.host)) for one in record.attempts)
        holder = None if record.holder is None else self._without(record.holder)
        by = _renamed_reason(record.blocked_by, self._without)
        return record._replace(message=self._shown(record.message), holder=holder, attempts=attempts, blocked_by=by)

    def _stored_record(self, record: Record) -> Record:
        """Return a record as the page before this one ended with it: its place among others is by these names."""
        by = _renamed_reason(record.blocked_by, self._with)
        return record._replace(message=self._stored(record.message), blocked_by=by)


def _renamed_rate(rate: str, rename: Callable[[str], str]) -> str:
    """Return the name of a rate, `task:NAME` or `queue:NAME`, with another name in it."""
    kind, _, name = rate.partition(":")
    return f"{kind}:{rename(name)}"


def _renamed_reason(blocked_by: str | None, rename: Callable[[str], str]) -> str | None:
    """Return what a message waits for with other names in it. Groups have ids, which are nobody else's."""
    if blocked_by is None or blocked_by.startswith(reasons.GROUP):
        return blocked_by
    kind, _, what = blocked_by.partition(":")
    if kind == "rate":
        return reasons.rate(_renamed_rate(what, rename))
    if kind == "batch":
        queue, _, task = what.partition(":")
        return reasons.batch(rename(queue), rename(task))
    return f"{kind}:{rename(what)}"


def _renamed(message: Message, rename: Callable[[str], str]) -> Message:
    """Return a message with other names: its queue, task and schedule, and the keys that others are compared with."""
    unique, running = message.unique_key, message.running_key
    return message._replace(
        queue=rename(message.queue),
        task=rename(message.task),
        headers=of_schedule(message.headers, rename),
        unique_key=None if unique is None else rename(unique),
        running_key=None if running is None else rename(running),
        follow=_renamed_follow(message.follow, rename),
    )


def _renamed_follow(stored: bytes, rename: Callable[[str], str]) -> bytes:
    """Return what follows a message with other names: a rescue, which happens below the prefix, enqueues it."""
    if not stored:
        return b""
    from cronq.messages.follow import with_each

    return with_each(stored, lambda message: _renamed(message, rename))

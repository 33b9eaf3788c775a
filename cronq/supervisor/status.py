"""What goes on, gathered as plain values: for `cronq status`, the dashboard and the health page. Changes nothing."""

from __future__ import annotations

from cronq.host import marks
from cronq.host.room import rooms
from cronq.host.state_dir import read_text
from cronq.namedtuple import NamedTuple
from cronq.supervisor import backoff, interval, slots, starts
from cronq.supervisor.bulletin import TICK, from_text
from cronq.supervisor.slots import BROKEN, CONSUMING, LEFT
from cronq.supervisor.starts import Starts, unseen
from cronq.supervisor.tick import paused_until
from cronq.supervisor.unserved import unserved
from cronq.supervisor.worker_status import worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from cronq.clock import Clock
    from cronq.config.settings import Group, Settings
    from cronq.host.room import Room
    from cronq.host.state_dir import StateDir
    from cronq.messages.message import QueueCounts
    from cronq.supervisor.interval import Planned
    from cronq.supervisor.slots import Seen, SlotNote
    from cronq.supervisor.spool_status import SpoolStatus
    from cronq.supervisor.unserved import Unserved
    from cronq.supervisor.worker_status import Worker
    from cronq.transports.base import Transport

    IntervalIs = Literal["configured", "measured", "planned", "assumed"]


class Cron(NamedTuple):
    """The ticks. `last_tick_s`: how long ago the last one came; None: there never was one. `silent_s`: since when none
    came, or since when cron is set to tick, if that is later; None before there was anything to wait for.

    `interval_is` says how the interval is known; an assumed one tells nothing of missing ticks. `complaint`: why the
    last one failed, if it did.
    """

    last_tick_s: float | None
    interval_s: float
    interval_is: IntervalIs
    silent_s: float | None
    complaint: str | None


class GroupStatus(NamedTuple):
    """One group. `broken`: why its last consumer could not work. `next_start_s`: the rest of a back-off.

    `unseen`: how many starts in a row brought nobody. `refused`: at how many in a row the host had no room.
    """

    name: str
    queues: tuple[str, ...]
    min: int
    max: int
    live: tuple[Worker, ...]
    broken: str | None
    young_deaths: int
    next_start_s: float | None
    unseen: int = 0
    refused: int = 0


class QueueStatus(NamedTuple):
    """One queue. `oldest_s` is the age of the oldest ready message, `seen_s` that of the alive mark.

    `more` names the numbers that are larger than they say. `max_waiting`: how many may wait.
    """

    name: str
    ready: int
    delayed: int
    blocked: int
    reserved: int
    failed: int
    is_paused: bool
    oldest_s: float | None
    seen_s: float | None
    served_by: tuple[str, ...]
    more: tuple[str, ...] = ()
    max_waiting: int | None = None


class Status(NamedTuple):
    """One look at everything. `others` are consumers outside the groups: started by hand, or web processes.

    `refused` says of schedules why they never run, or no longer; `unreadable` why there are no queues here. `rooms`
    bound what may still be written in the state directory.
    """

    at: float
    config: str | None
    cron: Cron
    held_until: float | None
    groups: tuple[GroupStatus, ...]
    others: tuple[Worker, ...]
    queues: tuple[QueueStatus, ...]
    refused: tuple[str, ...] = ()
    unreadable: str | None = None
    rooms: tuple[Room, ...] = ()
    spool: SpoolStatus | None = None
    unserved: Unserved | None = None

    @property
    def failed(self) -> int:
        return sum(queue.failed for queue in self.queues)

    @property
    def waiting(self) -> int:
        return sum(queue.ready for queue in self.queues)


def look(settings: Settings, state: StateDir, transport: Transport | None, clock: Clock) -> Status:
    """Return the status of an installation; None for a transport that has never been used.

    Raises TransportError.
    """
    now = clock.now()
    counts = [] if transport is None else transport.glance()
    schedules = [] if transport is None else transport.schedules()
    held_at = _nothing if transport is None else transport.held_at
    seen = slots.survey(state)
    held_until = paused_until(state)
    names = {group.name for group in settings.groups}
    workers = [(one.group, worker(one, clock, held_at)) for one in seen if one.is_live]
    facts = _Facts(state, clock.monotonic(), seen, workers, starts.read(state))
    return Status(
        at=now,
        config=settings.path,
        cron=_cron(settings, state, now),
        held_until=held_until if held_until > now else None,
        groups=tuple(_group(group, facts) for group in settings.groups),
        others=tuple(one for name, one in workers if name not in names),
        queues=tuple(_queue(one, settings, state, now) for one in _all_queues(settings, counts)),
        refused=tuple(one.trouble for one in schedules if one.trouble is not None),
        rooms=rooms_of(state),
        unserved=unserved(state, seen),
    )


class _Facts(NamedTuple):
    """What is known of all groups alike. `workers` have the names of their groups before them."""

    state: StateDir
    monotonic: float
    seen: Sequence[Seen]
    workers: Sequence[tuple[str, Worker]]
    starts: Mapping[str, Starts]


def rooms_of(state: StateDir) -> tuple[Room, ...]:
    """Return what bounds how much may still be written in the state directory."""
    try:
        return tuple(rooms(state.path))
    except FileNotFoundError:  # there is nothing yet
        return ()


def _nothing(holder: str, position: int) -> None:
    """Say that nobody holds anything."""


def _cron(settings: Settings, state: StateDir, now: float) -> Cron:
    times, plan = interval.read(state.ticks), interval.planned(state.interval)
    expected_since = max([*times[-1:], *([plan.since] if plan else [])], default=None)
    return Cron(
        last_tick_s=max(0.0, now - times[-1]) if times else None,
        interval_s=interval.current(state, settings.interval_s),
        interval_is=_interval_is(settings, times, plan),
        silent_s=None if expected_since is None else max(0.0, now - expected_since),
        complaint=_complaint(state),
    )


def _interval_is(settings: Settings, times: Sequence[float], plan: Planned | None) -> IntervalIs:
    if settings.interval_s != "auto":
        return "configured"
    if interval.gaps(times, plan):
        return "measured"
    return "assumed" if plan is None else "planned"


def _complaint(state: StateDir) -> str | None:
    failure = from_text(read_text(state.told) or "").get(TICK)
    return None if failure is None else failure.what


def _group(group: Group, facts: _Facts) -> GroupStatus:
    monotonic, slots_of_it = facts.monotonic, [one for one in facts.seen if one.group == group.name]
    delay, known = backoff.read(facts.state.backoff(group.name)), facts.starts.get(group.name, Starts())
    return GroupStatus(
        name=group.name,
        queues=group.queues,
        min=group.autoscale.min,
        max=group.autoscale.max,
        live=tuple(one for name, one in facts.workers if name == group.name),
        broken=_broken(group.name, facts.seen),
        young_deaths=delay.deaths,
        next_start_s=delay.until - monotonic if delay.holds(monotonic) else None,
        unseen=unseen(known, slots_of_it, monotonic),
        refused=known.refused,
    )


def _broken(group: str, seen: Sequence[Seen]) -> str | None:
    """Return why the group's newest consumer could not work, unless a newer one of any group can: all share one app."""
    notes = [one.note for one in seen if one.note is not None and one.group == group]
    newest = max(notes, key=lambda note: note.begun_at, default=None)
    if newest is None or newest.state != BROKEN:
        return None
    sound = [one.note.begun_at for one in seen if one.note is not None and _is_sound(one, one.note)]
    return None if max(sound, default=0.0) > newest.begun_at else newest.reason


def _is_sound(seen: Seen, note: SlotNote) -> bool:
    return note.state == LEFT or (note.state == CONSUMING and seen.live_note is not None)


def _all_queues(settings: Settings, counts: Sequence[QueueCounts]) -> list[QueueCounts]:
    """Return the counts of every queue that is served or holds anything, the most important first."""
    from cronq.messages.message import QueueCounts

    by_name = {one.queue: one for one in counts}
    served = [queue for group in settings.groups for queue in group.queues]
    names = dict.fromkeys([*served, *settings.inline.queues, *settings.queues, *sorted(by_name)])
    return [by_name.get(name) or QueueCounts(name) for name in names]


def _queue(counts: QueueCounts, settings: Settings, state: StateDir, now: float) -> QueueStatus:
    return QueueStatus(
        name=counts.queue,
        ready=counts.ready,
        delayed=counts.delayed,
        blocked=counts.blocked,
        reserved=counts.reserved,
        failed=counts.failed,
        is_paused=counts.paused or settings.queue(counts.queue).paused,
        oldest_s=None if counts.oldest_at is None else max(0.0, now - counts.oldest_at),
        seen_s=marks.age_s(state.alive(counts.queue), now),
        served_by=tuple(group.name for group in settings.groups if counts.queue in group.queues),
        more=counts.more,
        max_waiting=settings.queue(counts.queue).max_waiting,
    )

"""What a tick should do, decided from what it saw. Pure: the same sight gives the same plan."""

from __future__ import annotations

from cronq.namedtuple import NamedTuple
from cronq.supervisor.backoff import Backoff, judge
from cronq.supervisor.interval import life_s
from cronq.supervisor.scale import Demand, fitting, missing
from cronq.supervisor.slots import TIED_UP_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.config.settings import Group, Settings
    from cronq.supervisor.rescue import Dead
    from cronq.supervisor.slots import Seen, SlotNote

OVERDUE_GRACE_S = 5.0  # after a message's timeout: its own SIGALRM comes first
KILL_AFTER_S = 5.0  # after the first SIGTERM: the next tick may be that of a burst, and come at once
STUCK_S = 30.0  # an idle consumer that is so long past its deadline hangs


class Sight(NamedTuple):
    """Everything a tick looks at before it decides. Monotonic and wall seconds, per-group maps by group name.

    `memory_mb` is the resident memory of all live consumers together. `strays` are slots whose consumers go on
    without them (rescue.strays). `signalled` are the holders that ticks have told to end, with when they
    did so first.
    """

    now: float
    monotonic: float
    interval_s: float
    slots: Sequence[Seen]
    depth: Mapping[str, int]
    dead: Sequence[Dead] = ()
    has_successor: frozenset[str] = frozenset()
    backoff: Mapping[str, Backoff] = {}
    paused_until: float = 0.0
    signalled: Mapping[str, float] = {}
    memory_mb: float = 0.0
    strays: Sequence[str] = ()


class Stop(NamedTuple):
    """End a consumer that is overdue: politely first, by SIGKILL at a later tick. It was first told at `told_at`."""

    note: SlotNote
    reason: str
    kill: bool
    told_at: float


class Plan(NamedTuple):
    """What to do, in this order."""

    rescue: Sequence[Dead] = ()
    stop: Sequence[Stop] = ()
    start: Sequence[str] = ()
    succeed: Sequence[str] = ()
    backoff: Mapping[str, Backoff] = {}
    wanted: Mapping[str, int] = {}
    live: Mapping[str, int] = {}


def decide(settings: Settings, sight: Sight) -> Plan:
    """Return what this tick should do."""
    live = {
        group.name: [seen for seen in sight.slots if seen.is_live and seen.group == group.name]
        for group in settings.groups
    }
    backoff = {group.name: _backoff(group, sight) for group in settings.groups}
    astray = [slot.rpartition(".")[0] for slot in sight.strays]
    alive = {name: len(seen) + astray.count(name) for name, seen in live.items()}
    demands = [_demand(group, sight, live[group.name], alive[group.name]) for group in settings.groups]
    may_start = sight.now >= sight.paused_until
    able = [demand for demand in demands if may_start and not backoff[demand.group].holds(sight.monotonic)]
    others = sum(alive[demand.group] for demand in demands if demand not in able)
    most = min(settings.max_processes, fitting(settings.memory_mb, sight.memory_mb, sum(map(len, live.values()))))
    starts = missing(able, most - others)
    wanted = {one.group: one.deserved for one in demands}
    return Plan(
        rescue=sight.dead,
        stop=[stop for seen in sight.slots if (stop := _overdue(seen, sight)) is not None],
        start=[group for group, count in starts.items() for _ in range(count)],
        succeed=[
            seen.name
            for group in settings.groups
            if may_start and not backoff[group.name].holds(sight.monotonic)
            for seen in _to_succeed(group, live[group.name], wanted[group.name], sight)
            if seen.name not in sight.has_successor
        ],
        backoff={name: found for name, found in backoff.items() if found != sight.backoff.get(name, Backoff())},
        wanted=wanted,
        live=alive,
    )


def _demand(group: Group, sight: Sight, live: Sequence[Seen], alive: int) -> Demand:
    size = group.autoscale
    return Demand(
        group.name,
        sight.depth.get(group.name, 0),
        alive,
        size.desired_size,
        size.min,
        size.max,
        group.queues,
        sum(_stands_in(seen, group) for seen in sight.slots),
        bool(live) and all(_is_tied_up(seen, sight.monotonic) for seen in live),
    )


def _stands_in(seen: Seen, group: Group) -> bool:
    """Tell whether a consumer of another group is at rest, or on its way, and serves all queues of this one."""
    note = seen.live_note
    if note is None or note.has_left or not note.is_idle or seen.is_inline or seen.group == group.name:
        return False
    return set(group.queues) <= set(note.queues)


def _is_tied_up(seen: Seen, monotonic: float) -> bool:
    note = seen.live_note
    return note is not None and not note.is_idle and monotonic - note.since >= TIED_UP_S


def _backoff(group: Group, sight: Sight) -> Backoff:
    slots = [seen for seen in sight.slots if seen.group == group.name]
    return judge(sight.backoff.get(group.name, Backoff()), slots, sight.interval_s, sight.monotonic)


def _to_succeed(group: Group, live: Sequence[Seen], wanted: int, sight: Sight) -> list[Seen]:
    """Return whom to start a successor for: as many of those that end soon as those that stay do not make up for."""
    ending = _ending(group, live, sight)
    staying = len(live) - len(ending)
    return ending[: max(0, wanted - staying)]


def _ending(group: Group, live: Sequence[Seen], sight: Sight) -> list[Seen]:
    """Return the live consumers that will have ended before the tick after this one can do anything about it."""
    soon = sight.monotonic + 1.25 * sight.interval_s
    if life_s(sight.interval_s, group.time_limit_s) < 0.5 * sight.interval_s:
        return []  # meant to live for a part of each interval only
    return [seen for seen in live if seen.live_note is not None and seen.live_note.deadline <= soon]


def _overdue(seen: Seen, sight: Sight) -> Stop | None:
    note = seen.live_note
    if note is None or seen.is_inline:
        return None
    if note.must_end and sight.monotonic > note.must_end + OVERDUE_GRACE_S:
        reason = "its message ran past its timeout"
    elif note.is_idle and note.deadline and sight.monotonic > note.deadline + STUCK_S:
        reason = "it hangs past its time limit"
    else:
        return None
    told_at = sight.signalled.get(str(note.holder), sight.monotonic)
    return Stop(note, reason, sight.monotonic >= told_at + KILL_AFTER_S, told_at)

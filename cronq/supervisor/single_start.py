"""Starting one consumer outside a tick: by a web process, a consumer or a command that sees a queue without one."""

from __future__ import annotations

from cronq.events import emit
from cronq.host import locks
from cronq.host.process import host_name, memory_mb
from cronq.supervisor import backoff, interval, launches, seats, slots
from cronq.supervisor.child_environ import for_child
from cronq.supervisor.presence import presence_of
from cronq.supervisor.scale import fitting
from cronq.supervisor.spawn import consume_command
from cronq.supervisor.tick import paused_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.config.settings import Group, Settings
    from cronq.host.state_dir import StateDir
    from cronq.supervisor.slots import Seen
    from cronq.supervisor.tick import Supervisor

TICK_TAKES_S = 0.5  # what it starts is to be seen; longer, and it hangs


def groups_for(settings: Settings, queues: Sequence[str], seen: Sequence[Seen] = ()) -> list[Group]:
    """Return the groups with a free slot that serve any of `queues`: those that serve most first, else in order."""
    live = [one.group for one in seen if one.is_live]
    served = [
        (len(set(group.queues).intersection(queues)), group)
        for group in settings.groups
        if live.count(group.name) < group.autoscale.max
    ]
    return [group for count, group in sorted(served, key=lambda one: -one[0]) if count]


def start_for(supervisor: Supervisor, queues: Sequence[str], may_start: Callable[[StateDir], bool]) -> bool:
    """Start a consumer for most of `queues`, if this process may and a place is free.

    One starter at a time, and none where somebody is ready by now or on the way. False: nothing was started, and
    nothing will be soon. Raises ConfigError and OSError when the interpreter cannot be started.
    """
    state, settings = supervisor.state, supervisor.settings
    if settings.path is None or not may_start(state):
        return False  # without a file, a process of its own could not know this configuration
    lock = locks.take(state.tick_lock, within_s=TICK_TAKES_S)
    if lock is None:
        return False
    try:
        seen = slots.survey(state)
        monotonic = supervisor.clock.monotonic()
        ready = presence_of(slots.of_others(seen), settings.groups, host_name()).ready
        wanted = [queue for queue in queues if queue not in ready]
        if not wanted or any(_is_coming(state, group, seen, wanted, monotonic) for group in settings.groups):
            return True
        if supervisor.clock.now() < paused_until(state) or not _has_room(settings, state, seen):
            return False
        for group in groups_for(settings, wanted, seen):
            if not _is_backing_off(supervisor, group, seen, monotonic):
                return _start(supervisor, group, monotonic)
        return False
    finally:
        lock.release()


def _is_coming(state: StateDir, group: Group, seen: Sequence[Seen], queues: Sequence[str], monotonic: float) -> bool:
    """Tell whether a consumer of the group was started a moment ago, and serves all that is wanted."""
    return set(queues) <= set(group.queues) and launches.is_under_way(state, group.name, seen, monotonic)


def _has_room(settings: Settings, state: StateDir, seen: Sequence[Seen]) -> bool:
    if seats.are_all_taken(state, settings.max_processes):
        return False
    pids = [one.pid for one in seen if one.pid is not None and not one.is_inline]
    used_mb = sum(map(memory_mb, pids)) if settings.memory_mb is not None else 0.0
    return fitting(settings.memory_mb, used_mb, len(pids)) > len(pids)


def _is_backing_off(supervisor: Supervisor, group: Group, seen: Sequence[Seen], monotonic: float) -> bool:
    state = supervisor.state
    before = backoff.read(state.backoff(group.name))
    interval_s = interval.current(state, supervisor.settings.interval_s)
    found = backoff.judge(before, [one for one in seen if one.group == group.name], interval_s, monotonic)
    if found != before:
        backoff.write(state.backoff(group.name), found)
    return found.holds(monotonic)


def _start(supervisor: Supervisor, group: Group, monotonic: float) -> bool:
    state = supervisor.state
    environ = for_child(state.environ, supervisor.environ)
    launches.note(state, group.name, monotonic)
    started = supervisor.start(consume_command(supervisor.settings, state, [group.name], environ))
    if started:
        emit("fetched", target=group.name)
    return started

"""Starting one consumer outside a tick: from a web request that found none."""

from __future__ import annotations

from cronq.host import locks
from cronq.supervisor import backoff, interval, slots
from cronq.supervisor.spawn import consume_command
from cronq.supervisor.tick import paused_until

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.config.settings import Group, Settings
    from cronq.supervisor.tick import Supervisor

STARTS_APART_S = 5.0  # a consumer needs a moment to take its slot: until then the next request would start another


def group_for(settings: Settings, queues: Sequence[str]) -> Group | None:
    """Return the group that serves most of `queues`, the first one among equals; None when none serves any."""
    served = [(len(set(group.queues) & set(queues)), group) for group in settings.groups]
    best = max((count for count, _ in served), default=0)
    return next((group for count, group in served if count == best), None) if best else None


def start_one(supervisor: Supervisor, group: Group) -> bool:
    """Start a consumer for `group`, unless its consumers die young, starts are paused, or one was started just now.

    False: nothing was started, and nothing will be soon.
    """
    state, monotonic = supervisor.state, supervisor.clock.monotonic()
    lock = locks.take(state.tick_lock)
    if lock is None:
        return True  # a tick is at it
    try:
        seen = [one for one in slots.survey(state) if one.group == group.name]
        interval_s = interval.current(state, supervisor.settings.interval_s)
        before = backoff.read(state.backoff(group.name))
        found = backoff.judge(before, seen, interval_s, monotonic)
        if found != before:
            backoff.write(state.backoff(group.name), found)
        if found.holds(monotonic) or supervisor.clock.now() < paused_until(state):
            return False
        if any(one.note is not None and 0 <= monotonic - one.note.begun < STARTS_APART_S for one in seen):
            return True
        command = consume_command(supervisor.settings, state, [group.name], supervisor.environ)
        return supervisor.start(command)
    finally:
        lock.release()

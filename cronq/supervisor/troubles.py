"""What a person must know of a status, in words. Pure."""

from __future__ import annotations

from cronq.config.durations import format_duration
from cronq.supervisor.bulletin import Trouble, tick_failed
from cronq.supervisor.slots import STARTING
from cronq.supervisor.starts import MANY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cronq.host.room import Room
    from cronq.supervisor.status import GroupStatus, QueueStatus, Status

MISSED_TICKS = 3
OLD_S = 15 * 60.0
BROKEN_IMPORT, NEVER_TICKED = "broken", "never ticked"
"""Keys of troubles that `cronq check` looks for itself."""


def troubles(status: Status) -> tuple[Trouble, ...]:
    """Return everything that is wrong and does not mend itself."""
    return (
        *_of_cron(status),
        *_of_queues(status),
        *of_rooms(status.rooms),
        *_of_groups(status),
        *(Trouble(f"schedule {text}", text) for text in status.refused),
        *(one for queue in status.queues for one in _of_queue(queue, status)),
        *_of_spool(status),
        *([] if status.unserved is None else [Trouble("unserved", status.unserved.text, is_mailed=False)]),
    )


def cron_seems_dead(status: Status) -> bool:
    """Tell whether ticks that should have come have not: nobody knows that where the interval is assumed."""
    cron = status.cron
    is_known = cron.interval_is != "assumed" and cron.silent_s is not None
    return is_known and (cron.silent_s or 0.0) > MISSED_TICKS * cron.interval_s


def _of_cron(status: Status) -> Iterator[Trouble]:
    cron = status.cron
    if cron_seems_dead(status):
        last = (
            "none has ever come" if cron.last_tick_s is None else f"the last tick was {_rounded(cron.last_tick_s)} ago"
        )
        more = (
            f": {last} and one should come every {_rounded(cron.interval_s)}: look at `crontab -l`, and at the mail "
            f"that cron sends"
        )
        yield Trouble("cron", "cron seems dead", more, is_mailed=False)
    elif cron.last_tick_s is None and status.waiting:
        more = f", and {_waits(status.waiting)}: `cronq crontab install` sets it up"
        yield Trouble(NEVER_TICKED, "cron has never ticked", more, is_mailed=False)
    if cron.complaint is not None:
        failure = tick_failed(cron.complaint)
        yield failure._replace(what=f"the tick fails: {failure.what}")


def _of_queues(status: Status) -> Iterator[Trouble]:
    if status.unreadable is not None and status.unreadable != status.cron.complaint:
        yield Trouble("queues", f"the queues cannot be looked at: {status.unreadable}")


def of_rooms(rooms: Sequence[Room]) -> Iterator[Trouble]:
    """Return what is wrong with the room that is left: told before there is none, when nothing could be noted."""
    for room in rooms:
        if room.is_little:
            left = [f"{room.mb:.0f} MB"] if room.mb is not None else []
            left += [f"{room.files} files"] if room.files is not None else []
            more = f": {' and '.join(left)} left; free some space, or messages can neither be taken in nor finished"
            yield Trouble(f"room {room.what}", f"{room.what} that the queue lies on is nearly full", more)


def _of_groups(status: Status) -> Iterator[Trouble]:
    """One app is imported by all groups: what breaks it is one trouble, whoever meets it first."""
    broken: dict[str, list[GroupStatus]] = {}
    for group in status.groups:
        if group.broken is not None:
            broken.setdefault(group.broken, []).append(group)
        elif group.next_start_s is not None or (group.young_deaths >= MANY and not _has_come(group)):
            yield _backing_off(group)
        elif not group.live and group.refused >= MANY:
            yield _without_room(group)
        elif not group.live and group.unseen >= MANY:
            yield _vanishing(group)
    if broken:
        every = [group for groups in broken.values() for group in groups]
        yield Trouble(BROKEN_IMPORT, f"broken: {'; '.join(broken)}", _again(every), who=_named(every))


def _backing_off(group: GroupStatus) -> Trouble:
    more = (
        f", {group.young_deaths} in a row; log/output.log in the state directory may say why; if it does not, your "
        f"host ends what a cron job leaves behind: let cron call `cronq tick --wait`{_again([group])}"
    )
    what = f"group {group.name} backs off: its consumers died as soon as they had started"
    return Trouble(_young(group), what, more, is_mailed=group.young_deaths >= MANY)


def _has_come(group: GroupStatus) -> bool:
    """Tell whether somebody has got past what the others died of."""
    return any(one.doing != STARTING for one in group.live)


def is_undecided(group: GroupStatus) -> bool:
    """Tell whether a start is on its way that will show if what is wrong with the group still is."""
    return group.young_deaths > 0 and len(group.live) > 0 and not _has_come(group)


def keys_of(group: GroupStatus) -> frozenset[str]:
    """Return the keys of what a start shows about a group."""
    return frozenset((BROKEN_IMPORT, _young(group)))


def _young(group: GroupStatus) -> str:
    return f"young {group.name}"


def _without_room(group: GroupStatus) -> Trouble:
    more = (
        f", the last {group.refused} times in a row: let cron call `cronq tick --run`, which starts none and consumes "
        f"itself, or ask your host how many processes you may have"
    )
    return Trouble(f"refused {group.name}", f"group {group.name}: the host has no room for a consumer's process", more)


def _vanishing(group: GroupStatus) -> Trouble:
    more = (
        f", {group.unseen} in a row: log/output.log in the state directory may say why; if it does not, your host ends "
        f"what a cron job leaves behind: let cron call `cronq tick --wait`"
    )
    return Trouble(f"vanished {group.name}", f"group {group.name}: consumers were gone before they could begin", more)


def _named(groups: list[GroupStatus]) -> str:
    names = ", ".join(group.name for group in groups)
    return f"group {names} is " if len(groups) == 1 else f"groups {names} are "


def _again(groups: list[GroupStatus]) -> str:
    next_s = min((group.next_start_s for group in groups if group.next_start_s is not None), default=None)
    return "" if next_s is None else f"; next start in {_rounded(next_s)}"


def _of_queue(queue: QueueStatus, status: Status) -> Iterator[Trouble]:
    """Paused queues and stopped consumers are somebody's will, not a trouble.

    A backlog is not mailed, nor that it is as long as it may be: on a busy site it comes and goes.
    """
    waiting = queue.ready + queue.delayed + queue.blocked
    if queue.max_waiting is not None and waiting >= queue.max_waiting:
        more = f": {waiting} wait in it, {queue.max_waiting} may (max_waiting)"
        yield Trouble(f"full {queue.name}", f"queue {queue.name}: is full, enqueues are refused", more, is_mailed=False)
    if queue.oldest_s is None or queue.oldest_s <= OLD_S or queue.is_paused or status.held_until is not None:
        return
    what = f"queue {queue.name}: its oldest message has waited for"
    more = f" {_rounded(queue.oldest_s)}"
    if not queue.served_by:
        more += ", and no group of [[consumers]] serves this queue"
    yield Trouble(f"old {queue.name}", what, more, is_mailed=False)


def _of_spool(status: Status) -> Iterator[Trouble]:
    spool = status.spool
    if spool is not None and spool.unusable is not None:
        yield Trouble("spool", "the spool keeps nothing", f": {spool.unusable}", is_mailed=False)
    elif spool is not None and spool.messages:
        what = "the queue could not be written, so messages lie in the spool"
        more = f": {spool.messages}; free some space, the next tick puts them into their queues"
        yield Trouble("spool", what, more, is_mailed=False)


def _waits(messages: int) -> str:
    return "1 message waits" if messages == 1 else f"{messages} messages wait"


def _rounded(seconds: float) -> str:
    return format_duration(round(seconds) if seconds < 3600 else round(seconds / 60) * 60)

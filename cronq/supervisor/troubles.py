"""What a person must know of a status, in words. Pure."""

from __future__ import annotations

from cronq.config.durations import format_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.supervisor.status import GroupStatus, QueueStatus, Status

MISSED_TICKS = 3
OLD_S = 15 * 60.0


def troubles(status: Status) -> tuple[str, ...]:
    """Return everything that is wrong and does not mend itself, one text each, with what to do."""
    return (
        *_of_cron(status),
        *(text for group in status.groups for text in _of_group(group)),
        *status.refused,
        *(text for queue in status.queues for text in _of_queue(queue, status)),
    )


def cron_seems_dead(status: Status) -> bool:
    """Tell whether ticks that should have come have not."""
    last_s = status.cron.last_tick_s
    return last_s is not None and last_s > MISSED_TICKS * status.cron.interval_s


def _of_cron(status: Status) -> Iterator[str]:
    cron = status.cron
    if cron.last_tick_s is None and status.waiting:
        yield f"cron has never ticked, and {_waits(status.waiting)}: `cronq crontab install` sets it up"
    if cron.last_tick_s is not None and cron_seems_dead(status):
        assumed = "" if cron.is_measured else " (assumed: three ticks measure it)"
        yield (
            f"cron seems dead: the last tick was {_rounded(cron.last_tick_s)} ago and one should come every "
            f"{_rounded(cron.interval_s)}{assumed}: look at `crontab -l`, and at the mail that cron sends"
        )
    if cron.complaint and any(len(group.live) < group.min for group in status.groups):
        yield f"the tick fails: {cron.complaint}"


def _of_group(group: GroupStatus) -> Iterator[str]:
    again = "" if group.next_start_s is None else f"; next start in {_rounded(group.next_start_s)}"
    if group.broken is not None:
        yield f"group {group.name} is broken: {group.broken}{again}"
    elif group.next_start_s is not None:
        yield (
            f"group {group.name} backs off: its consumers died as soon as they had started, {group.young_deaths} in a "
            f"row; log/output.log in the state directory may say why{again}"
        )


def _of_queue(queue: QueueStatus, status: Status) -> Iterator[str]:
    """Paused queues and stopped consumers are somebody's will, not a trouble."""
    if queue.oldest_s is None or queue.oldest_s <= OLD_S or queue.is_paused or status.held_until is not None:
        return
    why = "" if queue.served_by else ", and no group of [[consumers]] serves this queue"
    yield f"queue {queue.name}: its oldest message has waited for {_rounded(queue.oldest_s)}{why}"


def _waits(messages: int) -> str:
    return "1 message waits" if messages == 1 else f"{messages} messages wait"


def _rounded(seconds: float) -> str:
    return format_duration(round(seconds) if seconds < 3600 else round(seconds / 60) * 60)

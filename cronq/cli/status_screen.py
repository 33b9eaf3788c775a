"""A status as lines for a terminal, and as plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.cli.text import ago, at, bold, columns, count, paragraph, red, span, table, yellow
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.supervisor.status import GroupStatus, QueueStatus, Status
    from cronq.supervisor.worker_status import Running, Worker


def screen(status: Status, troubles: Sequence[str]) -> list[str]:
    """Return a status as lines; what is wrong comes last, where the eye is when it has been printed."""
    return [
        _cron(status),
        *_held(status),
        "",
        *_groups(status),
        "",
        *([] if status.unreadable else _queues(status.queues)),
        *_failures(status),
        *_spool(status),
        *([""] if troubles else []),
        *(red(line) for text in troubles for line in paragraph(f"! {text}")),
    ]


def as_data(status: Status, troubles: Sequence[str]) -> dict[str, Any]:
    """Return a status as JSON has it."""
    data: dict[str, Any] = _plain(status)
    return data | {"failed": status.failed, "waiting": status.waiting, "troubles": list(troubles)}


_INTERVAL_IS = {"assumed": "assumed until it is measured", "planned": "as `cronq crontab install` was told"}


def _cron(status: Status) -> str:
    cron = status.cron
    if cron.last_tick_s is None:
        return f"{bold('cron')}  {yellow('has never ticked')}: `cronq crontab install`, or `cronq tick` by hand"
    known = _INTERVAL_IS.get(cron.interval_is, cron.interval_is)
    return f"{bold('cron')}  last tick {ago(cron.last_tick_s)}, every {span(cron.interval_s)} ({known})"


def _held(status: Status) -> list[str]:
    if status.held_until is None:
        return []
    left = span(status.held_until - status.at)
    until = f"nothing is started until {at(status.held_until)}, for another {left}"
    return [yellow(f"stop  {until} (`cronq stop --for 0` ends that)")]


def _groups(status: Status) -> list[str]:
    rows = [("consumers", "live", "min..max", "queues")]
    rows += [(one.name, str(len(one.live)), f"{one.min}..{one.max}", " ".join(one.queues)) for one in status.groups]
    head, *lines = table(rows, frozenset({1, 2}))
    shown = [head]
    for line, group in zip(lines, status.groups, strict=True):
        shown += [line, *_workers(group.live), *_trouble(group)]
    if status.others:
        shown += ["others", *_workers(status.others)]
    return shown


def _workers(workers: Sequence[Worker]) -> list[str]:
    rows = [(f"  {one.slot}", f"pid {one.pid}", _doing(one), _memory(one), _life(one)) for one in workers]
    lines = columns(rows) if rows else []
    return [part for one, line in zip(workers, lines, strict=True) for part in (line, *_running(one.running))]


def _running(running: Running | None) -> list[str]:
    if running is None:
        return []
    label = f" ({running.label})" if running.label else ""
    return [escaped(f"    {running.task} {running.id}{label}")]


def _doing(worker: Worker) -> str:
    return worker.doing if worker.busy_s is None else f"busy for {span(worker.busy_s)}"


def _memory(worker: Worker) -> str:
    return "" if worker.memory_mb is None else f"{worker.memory_mb:.0f} MB"


def _life(worker: Worker) -> str:
    if worker.alive_s is None or worker.ends_in_s is None:
        return ""
    left = f"for another {span(worker.ends_in_s)}" if worker.ends_in_s > 0 else "its time is over"
    return f"since {span(worker.alive_s)}, {left}"


def _trouble(group: GroupStatus) -> list[str]:
    lines = []
    if group.broken is not None:
        lines.append(red(f"  broken: {group.broken}"))
    if group.next_start_s is not None:
        deaths = count(group.young_deaths, "young death")
        lines.append(red(f"  backs off after {deaths}, next start in {span(group.next_start_s)}"))
    return lines


def _queues(queues: Sequence[QueueStatus]) -> list[str]:
    head = ("queue", "ready", "delayed", "blocked", "reserved", "failed", "oldest ready", "consumer seen", "")
    rows = [head, *(_queue(one) for one in queues)]
    return table(rows, frozenset({1, 2, 3, 4, 5}))


def _queue(queue: QueueStatus) -> tuple[str, ...]:
    numbers = {name: getattr(queue, name) for name in ("ready", "delayed", "blocked", "reserved", "failed")}
    shown = [f"{number}+" if name in queue.more else str(number) for name, number in numbers.items()]
    oldest = "-" if queue.oldest_s is None else span(queue.oldest_s)
    return (queue.name, *shown, oldest, ago(queue.seen_s), "paused" if queue.is_paused else "")


def _failures(status: Status) -> list[str]:
    return ["", yellow(f"{count(status.failed, 'message')} in the failure queue")] if status.failed else []


def _spool(status: Status) -> list[str]:
    spool = status.spool
    if spool is None or not spool.messages:
        return []
    return ["", yellow(f"spool  {count(spool.messages, 'message')}: {spool.used} of {spool.size} bytes")]


def _plain(value: Any) -> Any:
    """Return named tuples as dictionaries, all the way down."""
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value

"""`cronq failed list --stats`: how many messages of which task were ended by which class of exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.cli.lists import Column, Listing
from cronq.cli.table_writer import Fit
from cronq.cli.text import ago
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cronq.transports.selection import Statistic


class Failures(NamedTuple):
    """The failed messages of one task and one class, `None` where no exception ended them."""

    task: str
    error_class: str | None
    number: int
    last_at: float


def by_task_and_class(statistics: Iterable[Statistic]) -> list[Failures]:
    """Return what queues have counted, added up over the queues, the most first."""
    summed: dict[tuple[str, str | None], Failures] = {}
    for one in statistics:
        key = (one.task, one.error_class)
        before = summed.get(key, Failures(*key, 0, 0.0))
        summed[key] = Failures(*key, before.number + one.number, max(before.last_at, one.last_at))
    return sorted(summed.values(), key=lambda one: (-one.number, one.task, one.error_class or ""))


def listed(now: float) -> Listing[Failures]:
    return Listing(
        _data,
        Column("failed", lambda one: str(one.number), Fit.NUMBER),
        Column("task", lambda one: one.task, Fit.NAME),
        Column("error", lambda one: one.error_class or "-", Fit.NAME),
        Column("last", lambda one: ago(max(0.0, now - one.last_at))),
        empty="no failed messages",
    )


def _data(one: Failures) -> dict[str, Any]:
    return {"task": one.task, "error_class": one.error_class, "count": one.number, "last_at": one.last_at}

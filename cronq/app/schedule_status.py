"""How a schedule stands, as people and programs see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.messages.message import State
from cronq.namedtuple import NamedTuple
from cronq.schedules.spec import schedule_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.schedules.schedule import Schedule
    from cronq.schedules.stored import StoredSchedule
    from cronq.transports.abilities.search import Search

_LIVE = {State.RESERVED: "running", State.READY: "waiting", State.DELAYED: "waiting", State.BLOCKED: "waiting"}


class ScheduleStatus(NamedTuple):
    """One schedule and how it stands. `_at` are seconds since the epoch.

    `schedule` is what it says, its `H` fields resolved; `written` is the expression as it was given. `next_at` None:
    never, because it was `refused`, for the reason there, or stopped at `stopped_at` after so many `failures` in a row.
    `last_result` is `waiting`, `running`, `done` or `failed`; `gone` when a person removed the message, None before
    the first run. `last_error` is the class of the error. `skipped` counts the due times since the last run at which
    that one still went on.
    """

    schedule: Schedule
    source: str
    written: str
    max_attempts: int
    next_at: float | None
    last_at: float | None
    last_message_id: str | None
    last_result: str | None
    last_error: str | None
    failures: int
    skipped: int
    refused: str | None
    stopped_at: float | None
    trouble: str | None

    @property
    def name(self) -> str:
        return self.schedule.name

    @property
    def task(self) -> str:
        return self.schedule.task

    @property
    def cron(self) -> str:
        """What it runs by: `written` with numbers in place of `H`."""
        return self.schedule.cron

    @property
    def tz(self) -> str:
        return self.schedule.tz

    @property
    def args(self) -> Mapping[str, Any]:
        return self.schedule.args

    @property
    def missed(self) -> str:
        return self.schedule.missed

    @property
    def queue(self) -> str | None:
        return self.schedule.queue

    @property
    def overlap(self) -> bool:
        return self.schedule.overlap

    @property
    def stop_after(self) -> int | None:
        return self.schedule.stop_after

    def as_data(self) -> dict[str, Any]:
        """Return it as JSON has it: whatever the schedule says stands beside how it stands."""
        return {
            **self.schedule._asdict(),
            **{name: value for name, value in self._asdict().items() if name != "schedule"},
        }


def status_of(transport: Search, one: StoredSchedule) -> ScheduleStatus:
    """Return how a stored schedule stands."""
    spec = spec_of(one)
    result, error = _last_result(transport, one)
    return ScheduleStatus(
        schedule=schedule_of(one),
        source=one.source,
        written=spec.get("written", spec["cron"]),
        max_attempts=spec["max_attempts"],
        next_at=one.next_at,
        last_at=one.last_at,
        last_message_id=one.last_message_id,
        last_result=result,
        last_error=error,
        failures=one.failures,
        skipped=one.skipped,
        refused=one.refused,
        stopped_at=one.stopped_at,
        trouble=one.trouble,
    )


def _last_result(transport: Search, one: StoredSchedule) -> tuple[str | None, str | None]:
    """Return how the last run stands, and the class of its last error: of the run itself while it is not over."""
    record = transport.find(one.last_message_id) if one.last_message_id is not None else None
    if record is not None and record.state in _LIVE:
        return _LIVE[record.state], record.error_class
    if one.last_result is not None or one.last_message_id is None:
        return one.last_result, one.last_error
    return (str(record.state), record.error_class) if record is not None else ("gone", None)

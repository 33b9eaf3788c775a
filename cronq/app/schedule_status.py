"""`app.schedules`: what recurs, looked at, added and removed while a program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from cronq.app.timetable import ScheduleOptions, checked, made
from cronq.errors import UsageError
from cronq.messages.message import State
from cronq.namedtuple import NamedTuple
from cronq.schedules.schedule import validated
from cronq.schedules.spec import placed, spec_of
from cronq.schedules.stored import RUNTIME
from cronq.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.app.application import App
    from cronq.schedules.stored import StoredSchedule
    from cronq.transports.base import Transport

NAME_LENGTH = 100
_LIVE = {State.RESERVED: "running", State.READY: "waiting", State.DELAYED: "waiting", State.BLOCKED: "waiting"}


class ScheduleStatus(NamedTuple):
    """One schedule and how it stands. `_at` are seconds since the epoch.

    `cron` is what it runs by, `written` what was given: they differ in `H` fields. `next_at` None: never, because it
    was `refused`, for the reason there, or stopped at `stopped_at` after so many `failures` in a row.
    `last_result` is `waiting`, `running`, `done` or `failed`; `gone` when a person removed the message, None before
    the first run. `last_error` is the class of the error. `skipped` counts the due times since the last run at which
    that one still went on.
    """

    name: str
    source: str
    task: str
    cron: str
    written: str
    tz: str
    args: Mapping[str, Any]
    missed: str
    queue: str
    max_attempts: int
    overlap: bool
    stop_after: int | None
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


class Schedules:
    """The schedules of an installation. Those added here are kept beside those of code and configuration.

    They are stored: they survive restarts and deployments until they are removed.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def add(
        self,
        name: str,
        task: Task[..., Any] | str,
        cron: str,
        /,
        *,
        args: Mapping[str, object] | None = None,
        **options: Unpack[ScheduleOptions],
    ) -> ScheduleStatus:
        """Enqueue a task again and again from now on, in place of what this name was added for before.

        `args` are arguments by name; the other options are those of `@app.cron`. Raises UsageError with the reason
        when it could not work: a name that is taken by code or configuration, no such task, wrong arguments, an
        expression that never comes, an unknown time zone.
        """
        app = self._app
        if not 0 < len(name) <= NAME_LENGTH or not name.isprintable() or " " in name:
            raise UsageError(f"schedule {name!r}: a name has 1 to {NAME_LENGTH} characters and no spaces")
        taken = self._find(name)
        if taken is not None and taken.source != RUNTIME:
            raise UsageError(f"schedule {name}: the project's {taken.source} has one of that name: take another")
        schedule = validated(made(name, task.name if isinstance(task, Task) else task, cron, args, options))
        one = placed(checked(app, RUNTIME, schedule), app.clock.now())
        if one.refused is not None:
            raise UsageError(one.refused)
        app.transport.declare(RUNTIME, [one], only=[name])
        return status_of(app.transport, self._find(name) or one)

    def remove(self, name: str) -> bool:
        """Forget a schedule that was added here; tell whether there was one. Runs already enqueued stay.

        Raises UsageError for one of the code or the configuration, which would declare it again.
        """
        one = self._find(name)
        if one is None:
            return False
        if one.source != RUNTIME:
            raise UsageError(f"schedule {name}: is declared by the project's {one.source}: remove it there")
        self._app.transport.declare(RUNTIME, [], only=[name])
        return True

    def resume(self, name: str) -> bool:
        """Let a schedule that has stopped after failures go on; tell whether it had stopped. Its past is forgiven."""
        one = self._find(name)
        if one is None or one.stopped_at is None:
            return False
        resumed = placed(one._replace(stopped_at=None, failures=0), self._app.clock.now())
        return self._app.transport.revise(one, resumed)

    def get(self, name: str) -> ScheduleStatus | None:
        """Return a schedule of whatever source, None when there is none of that name."""
        one = self._find(name)
        return None if one is None else status_of(self._app.transport, one)

    def list(self) -> Sequence[ScheduleStatus]:
        """Return all schedules by name: those that consumers have made known, and those added here."""
        transport = self._app.transport
        return [status_of(transport, one) for one in transport.schedules()]

    def _find(self, name: str) -> StoredSchedule | None:
        return next((one for one in self._app.transport.schedules() if one.name == name), None)


def status_of(transport: Transport, one: StoredSchedule) -> ScheduleStatus:
    """Return how a stored schedule stands."""
    spec = spec_of(one)
    result, error = _last_result(transport, one)
    return ScheduleStatus(
        name=one.name,
        source=one.source,
        task=spec["task"],
        cron=spec["cron"],
        written=spec.get("written", spec["cron"]),
        tz=spec["tz"],
        args=spec["args"],
        missed=spec["missed"],
        queue=spec["queue"],
        max_attempts=spec["max_attempts"],
        overlap=spec.get("overlap", False),
        stop_after=one.stop_after or None,
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


def _last_result(transport: Transport, one: StoredSchedule) -> tuple[str | None, str | None]:
    """Return how the last run stands, and the class of its last error: of the run itself while it is not over."""
    record = transport.find(one.last_message_id) if one.last_message_id is not None else None
    if record is not None and record.state in _LIVE:
        return _LIVE[record.state], record.error_class
    if one.last_result is not None or one.last_message_id is None:
        return one.last_result, one.last_error
    return (str(record.state), record.error_class) if record is not None else ("gone", None)

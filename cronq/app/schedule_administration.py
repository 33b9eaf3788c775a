"""`app.schedules`: what recurs, looked at, added and removed while a program runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from cronq.app.schedule_status import status_of
from cronq.app.timetable import made
from cronq.errors import UsageError
from cronq.schedules.schedule import validated
from cronq.schedules.spec import placed
from cronq.schedules.stored import RUNTIME
from cronq.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.app.declarations import Declarations
    from cronq.app.schedule_status import ScheduleStatus
    from cronq.schedules.schedule import ScheduleOptions
    from cronq.schedules.stored import StoredSchedule

NAME_LENGTH = 100


class Schedules:
    """The schedules of an installation. Those added here are kept beside those of code and configuration.

    They are stored: they survive restarts and deployments until they are removed.
    """

    def __init__(self, declarations: Declarations) -> None:
        self._declarations = declarations
        self._installation = declarations.installation

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
        if not 0 < len(name) <= NAME_LENGTH or not name.isprintable() or " " in name:
            raise UsageError(f"schedule {name!r}: a name has 1 to {NAME_LENGTH} characters and no spaces")
        taken = self._find(name)
        if taken is not None and taken.source != RUNTIME:
            raise UsageError(f"schedule {name}: the project's {taken.source} has one of that name: take another")
        schedule = validated(made(name, task.name if isinstance(task, Task) else task, cron, args, options))
        one = placed(self._declarations.checked(RUNTIME, schedule), self._installation.clock.now())
        if one.refused is not None:
            raise UsageError(one.refused)
        self._installation.transport.declare(RUNTIME, [one], only=[name])
        return status_of(self._installation.transport, self._find(name) or one)

    def remove(self, name: str) -> bool:
        """Forget a schedule that was added here; tell whether there was one. Runs already enqueued stay.

        Raises UsageError for one of the code or the configuration, which would declare it again.
        """
        one = self._find(name)
        if one is None:
            return False
        if one.source != RUNTIME:
            raise UsageError(f"schedule {name}: is declared by the project's {one.source}: remove it there")
        self._installation.transport.declare(RUNTIME, [], only=[name])
        return True

    def resume(self, name: str) -> bool:
        """Let a schedule that has stopped after failures go on; tell whether it had stopped. Its past is forgiven."""
        one = self._find(name)
        if one is None or one.stopped_at is None:
            return False
        resumed = placed(one._replace(stopped_at=None, failures=0), self._installation.clock.now())
        return self._installation.transport.revise(one, resumed)

    def get(self, name: str) -> ScheduleStatus | None:
        """Return a schedule of whatever source, None when there is none of that name."""
        one = self._find(name)
        return None if one is None else status_of(self._installation.transport, one)

    def list(self) -> Sequence[ScheduleStatus]:
        """Return all schedules by name: those that consumers have made known, and those added here."""
        transport = self._installation.transport
        return [status_of(transport, one) for one in transport.schedules()]

    def _find(self, name: str) -> StoredSchedule | None:
        return next((one for one in self._installation.transport.schedules() if one.name == name), None)

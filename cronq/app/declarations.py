"""How the schedules of code and configuration are made known to the tick: checked, and stored where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.app.call_terms import terms_for
from cronq.errors import CronqError
from cronq.host import known_tasks
from cronq.schedules.spec import delivered_as, followed_by, placed, schedule_of, to_store, under_terms
from cronq.schedules.stored import (
    CLOCK_WAS_WRONG_S,
    CODE,
    CONFIG,
    JUST_NOW_S,
    RUNTIME,
    StoredSchedule,
    is_of_wrong_clock,
)
from cronq.supervisor.schedule_runner import declare
from cronq.tasks.options import NOTHING_ASKED
from cronq.transports.schemes import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app.definitions import Definitions
    from cronq.app.followers import Followers
    from cronq.app.timetable import Timetable
    from cronq.schedules.schedule import Schedule
    from cronq.tasks.task import Task
    from cronq.tasks.terms import Terms
    from cronq.transports.installation import Installation


class Declarations:
    """What code (the timetable) and configuration declare, with the tasks that it is about."""

    def __init__(self, definitions: Definitions, timetable: Timetable, followers: Followers) -> None:
        self.installation: Installation = definitions.installation
        self._definitions = definitions
        self._timetable = timetable
        self._followers = followers

    def register(self) -> list[StoredSchedule]:
        """Make the schedules of code and configuration known to the tick, and return what is known now.

        A consumer does this when it starts: it alone has imported the tasks, knows their queues, and sees wrong
        arguments.
        """
        self._definitions.complete()
        transport, now = self.installation.transport, self.installation.clock.now()
        stored = transport.schedules()
        for source, schedules in self._declared():
            new = [self.checked(source, schedule) for schedule in schedules]
            known = [one for one in stored if one.source == source]
            if _differ(new, known, now) or (self._clock_was_ahead(now) and _are_misplaced(new, known, now)):
                declare(transport, source, [placed(one, now) for one in new])
        for one in stored:
            if one.source == RUNTIME:
                self._check_again(one)
        return transport.schedules()

    def entries(self) -> list[StoredSchedule]:
        """Return all schedules as they would be stored, what cannot work with the reason; nothing is written."""
        self._definitions.complete()
        now = self.installation.clock.now()
        return [
            placed(self.checked(source, schedule), now)
            for source, schedules in self._declared()
            for schedule in schedules
        ]

    def checked(self, source: str, schedule: Schedule) -> StoredSchedule:
        """Return a schedule with its queue and its arguments as messages have them; refused when they do not fit."""
        place = place_of(self.installation.settings)
        try:
            task = self._definitions.find(schedule.task)
            queue = self._definitions.queue_for(task, schedule.queue)
            body = task.codec.encode_json(schedule.args)
            terms = _terms(task, body, self._definitions.apart(task, queue))
            headers = _headers(task, body)
        except CronqError as error:
            reason = f"schedule {schedule.name}: {error}"
            one = to_store(source, schedule, schedule.args, schedule.queue or "normal", 1, place)
            return one._replace(refused=reason)
        import json

        attempts = self._definitions.policy(task, queue).max_attempts
        stored = to_store(source, schedule, json.loads(body), queue, attempts, place)
        options = task.options
        delivered = delivered_as(
            stored, {"priority": options.priority, "expires_s": options.expires_s, "headers": headers}
        )
        followed = followed_by(delivered, self._followers.of(task, queue))
        return followed if terms is None else under_terms(followed, terms)

    def _declared(self) -> tuple[tuple[str, Sequence[Schedule]], ...]:
        return ((CODE, self._timetable.all()), (CONFIG, self.installation.settings.schedules))

    def _clock_was_ahead(self, now: float) -> bool:
        """Tell whether the last consumer started at a time that is still to come: the clock was set back since."""
        noted_at = known_tasks.noted_at(self.installation.state.known_tasks)
        return noted_at is not None and noted_at > now + JUST_NOW_S

    def _check_again(self, one: StoredSchedule) -> None:
        """Refuse what a program added when this release of the code has no such task any more, or take it up again."""
        reason = self.checked(RUNTIME, schedule_of(one)).refused
        if (reason is None) != (one.refused is None):
            now_fits = placed(one._replace(refused=None), self.installation.clock.now())
            refused = one._replace(next_at=None, refused=reason)
            self.installation.transport.revise(one, now_fits if reason is None else refused)


def _terms(task: Task[..., Any], body: bytes, apart: str) -> Terms | None:
    """Return the terms that every run of a schedule is under: its arguments, and so its keys, are always the same."""
    wanted = task.asked(NOTHING_ASKED)
    if wanted is None:
        return None
    args, kwargs = task.codec.decode(body)
    return terms_for(task, wanted, tuple(args), kwargs, apart)


def _are_misplaced(new: Sequence[StoredSchedule], stored: Sequence[StoredSchedule], now: float) -> bool:
    """Tell whether one waits for a time that a clock which was ahead has found."""
    placed_now = {one.name: placed(one, now) for one in new}
    return any(is_of_wrong_clock(one, placed_now[one.name], now) for one in stored if one.name in placed_now)


def _headers(task: Task[..., Any], body: bytes) -> dict[str, str]:
    """Return those of every run of a schedule, its label among them."""
    headers = dict(task.options.headers or {})
    if task.options.label is None:  # then the arguments need not be read
        return headers
    from cronq.app.call_labels import headers_of_call

    args, kwargs = task.codec.decode(body)
    return headers | headers_of_call(task, tuple(args), kwargs)


def _differ(new: Sequence[StoredSchedule], stored: Sequence[StoredSchedule], now: float) -> bool:
    """Tell whether anything is to be written. Without that a consumer need not import croniter."""

    def said(one: StoredSchedule) -> tuple[object, ...]:
        return one.name, one.declared, one.timing, one.spec

    if sorted(map(said, new), key=str) != sorted(map(said, stored), key=str):
        return True
    refused = {one.name for one in new if one.refused is not None}
    was_ahead = any(one.last_at is not None and one.last_at > now + CLOCK_WAS_WRONG_S for one in stored)
    return was_ahead or refused != {one.name for one in stored if one.refused is not None}

"""A schedule between what a source says, what the transport keeps, and the messages of its runs."""

from __future__ import annotations

from cronq.errors import UsageError
from cronq.messages.ids import new_id
from cronq.messages.message import Message
from cronq.schedules.stored import HEADER, StoredSchedule

_STORED_APART = ("name", "stop_after")  # in columns of their own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cronq.schedules.schedule import Schedule
    from cronq.tasks.terms import Terms


def to_store(
    source: str,
    schedule: Schedule,
    args: Mapping[str, object],
    queue: str,
    max_attempts: int,
    place: str,
) -> StoredSchedule:
    """Return a schedule as transports keep it, not yet placed in time; `H` fields are resolved by `place`."""
    import json

    from cronq.schedules.schedule import resolved

    refused = None
    kept = schedule
    try:
        kept = resolved(schedule, place)
    except UsageError as error:
        refused = str(error)
    said = {name: value for name, value in schedule._asdict().items() if name not in _STORED_APART}
    spec = said | {
        "cron": kept.cron,
        "written": schedule.cron,
        "args": dict(args),
        "queue": queue,
        "max_attempts": max_attempts,
    }
    return StoredSchedule(
        source=source,
        name=schedule.name,
        declared=schedule.declared,
        timing=str(kept.timing),
        spec=json.dumps(spec, default=str).encode(),
        next_at=None,
        refused=refused,
        stop_after=schedule.stop_after or 0,
    )


def under_terms(one: StoredSchedule, terms: Terms) -> StoredSchedule:
    """Return a schedule whose messages are under these terms: its task's, which the tick does not know."""
    said = {name: value for name, value in terms._asdict().items() if value != terms._field_defaults[name]}
    return _with(one, "terms", said)


def followed_by(one: StoredSchedule, follow: bytes) -> StoredSchedule:
    """Return a schedule whose messages are followed by this (`messages.follow`), which the tick does not know."""
    import json

    return _with(one, "follow", json.loads(follow)) if follow else one


def delivered_as(one: StoredSchedule, delivery: Mapping[str, Any]) -> StoredSchedule:
    """Return a schedule whose messages have the `priority`, `expires_s` and `headers` of its task, as far as given."""
    said = {name: value for name, value in delivery.items() if value}
    return _with(one, "delivery", said) if said else one


def _with(one: StoredSchedule, name: str, said: object) -> StoredSchedule:
    import json

    return one._replace(spec=json.dumps(spec_of(one) | {name: said}).encode())


def placed(one: StoredSchedule, now: float) -> StoredSchedule:
    """Return it with its next time, or refused when it never has one."""
    from cronq.schedules.schedule import next_at, validated

    if one.refused is not None:
        return one
    try:
        return one._replace(next_at=next_at(validated(schedule_of(one)), now))
    except UsageError as error:
        return one._replace(refused=str(error))


def spec_of(one: StoredSchedule) -> dict[str, Any]:
    """Return the spec of a stored schedule."""
    import json

    return dict(json.loads(one.spec))


def schedule_of(one: StoredSchedule) -> Schedule:
    """Return a stored schedule as it was declared, with its `H` fields resolved."""
    from cronq.schedules.schedule import Schedule

    spec = spec_of(one)
    said = {name: spec[name] for name in Schedule._fields if name in spec}  # what an earlier release stored has fewer
    return Schedule(**said, name=one.name, stop_after=one.stop_after or None)


def message_of(one: StoredSchedule, due_at: float, now: float) -> Message:
    """Return the message of one run that is enqueued now.

    Its headers tell the task which schedule it is, and for when it was due.
    """
    import json
    from datetime import UTC, datetime

    spec = spec_of(one)
    delivery = spec.get("delivery", {})
    headers = {HEADER: one.name, "due_at": datetime.fromtimestamp(due_at, UTC).isoformat()}
    message = Message(
        new_id(),
        spec["queue"],
        spec["task"],
        json.dumps(spec["args"]).encode(),
        json.dumps(delivery.get("headers", {}) | headers).encode(),
        priority=delivery.get("priority", 0),
        expires_at=now + delivery["expires_s"] if "expires_s" in delivery else None,
        max_attempts=spec["max_attempts"],
        follow=json.dumps(spec["follow"]).encode() if "follow" in spec else b"",
    )
    if "terms" not in spec:
        return message
    from cronq.tasks.terms import Terms

    return Terms(**spec["terms"]).laid_on(message, due_at)

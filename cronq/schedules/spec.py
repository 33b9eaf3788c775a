"""A schedule between what a source says, what the transport keeps, and the messages of its runs."""

from __future__ import annotations

from cronq.errors import UsageError
from cronq.messages.ids import new_id
from cronq.messages.message import Message
from cronq.schedules.stored import HEADER, StoredSchedule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cronq.config.settings import Settings
    from cronq.schedules.schedule import Schedule
    from cronq.tasks.terms import Terms

_ON_THIS_HOST = ("sqlite", "memory", "sync")


def installation_of(settings: Settings) -> str:
    """Return what tells this installation from others, for `H` fields: the place of its queue.

    It is the same for the web processes, the tick and every host that shares the queue, and after each deployment;
    a host name or a random number would not be. Passwords are no part of it: they change.
    """
    scheme, _, rest = settings.transport.partition("://")
    place = settings.state_dir if scheme in _ON_THIS_HOST else rest.rpartition("@")[2]
    return f"{settings.queue_prefix} {place}"


def to_store(
    source: str,
    schedule: Schedule,
    args: Mapping[str, object],
    queue: str,
    max_attempts: int,
    installation: str,
) -> StoredSchedule:
    """Return a schedule, its `H` fields resolved, as transports keep it; not yet placed in time."""
    import json

    from cronq.schedules.schedule import resolved

    refused = None
    kept = schedule
    try:
        kept = resolved(schedule, installation)
    except UsageError as error:
        refused = str(error)
    spec = {
        "task": schedule.task,
        "cron": kept.cron,
        "written": schedule.cron,
        "tz": schedule.tz,
        "args": dict(args),
        "missed": schedule.missed,
        "queue": queue,
        "max_attempts": max_attempts,
        "overlap": schedule.overlap,
    }
    return StoredSchedule(
        source,
        schedule.name,
        schedule.declared,
        kept.timing,
        json.dumps(spec, default=str).encode(),
        None,
        refused,
        stop_after=schedule.stop_after or 0,
    )


def under_terms(one: StoredSchedule, terms: Terms) -> StoredSchedule:
    """Return a schedule whose messages are under these terms: its task's, which the tick does not know."""
    import json

    said = {name: value for name, value in terms._asdict().items() if value != terms._field_defaults[name]}
    return one._replace(spec=json.dumps(spec_of(one) | {"terms": said}).encode())


def followed_by(one: StoredSchedule, follow: bytes) -> StoredSchedule:
    """Return a schedule whose messages are followed by this (`messages.follow`), which the tick does not know."""
    import json

    return one._replace(spec=json.dumps(spec_of(one) | {"follow": json.loads(follow)}).encode()) if follow else one


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
    return Schedule(
        one.name,
        spec["task"],
        spec["cron"],
        spec["tz"],
        spec["args"],
        spec["missed"],
        spec["queue"],
        spec.get("overlap", False),  # stored by an earlier release, it has none
        one.stop_after or None,
    )


def message_of(one: StoredSchedule, due_at: float) -> Message:
    """Return the message of one run. Its headers tell the task which schedule it is, and for when it was due."""
    import json
    from datetime import UTC, datetime

    spec = spec_of(one)
    headers = {HEADER: one.name, "due_at": datetime.fromtimestamp(due_at, UTC).isoformat()}
    message = Message(
        new_id(),
        spec["queue"],
        spec["task"],
        json.dumps(spec["args"]).encode(),
        json.dumps(headers).encode(),
        max_attempts=spec["max_attempts"],
        follow=json.dumps(spec["follow"]).encode() if "follow" in spec else b"",
    )
    if "terms" not in spec:
        return message
    from cronq.tasks.terms import Terms

    return Terms(**spec["terms"]).laid_on(message, due_at)

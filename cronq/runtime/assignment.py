"""What a consumer process is told to do, read from its command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.config.settings import Autoscale, Group
from cronq.errors import UsageError
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from cronq.config.settings import Settings

AD_HOC = "adhoc"
_AD_HOC_SLOTS = 100


class Assignment(NamedTuple):
    """Which group to consume for, in which slot. `slot` None: any free one; else that one, as its holder's successor.

    `is_counted`: one of the account's `max_processes`. Consumers that a person starts by hand are not.
    """

    group: Group
    slot: str | None = None
    is_counted: bool = True


def assignment(settings: Settings, target: str) -> Assignment:
    """Read `high` (a group) or `high.0` (a slot to take over). Raises UsageError for a group there is none of."""
    name, dot, number = target.partition(".")
    for group in settings.groups:
        if group.name == name and (not dot or number.isdecimal()):
            return Assignment(group, target if dot else None)
    names = ", ".join(group.name for group in settings.groups) or "none (consumers = [])"
    raise UsageError(f"{target}: no such consumer group; [[consumers]] has {names}")


def ad_hoc(queues: tuple[str, ...]) -> Assignment:
    """Return the assignment of a consumer that a person starts for some queues."""
    return Assignment(Group(AD_HOC, queues, Autoscale(max=_AD_HOC_SLOTS)), is_counted=False)

"""When a cron expression is due, in a time zone, over the changes of the clocks. Imports croniter: 25 ms.

croniter knows time zones, but not as a daily job needs it: given an aware start, it answers 02:30 twice on the night
when Berlin sets its clocks back, and moves a time that the clocks skip to the end of the gap, which adds a run to an
hourly job at half past (looked up in croniter 7.0, `_add_tzinfo`, and tried). So it is asked in plain local time
only, and the results are placed on the time line here:

- A local time that the clocks skip is taken by the offset before the change (02:30 is run at 03:30 then), as RFC 5545,
  java.time and JavaScript's Temporal do. An hourly job meets its next run there, and two runs at one instant are one.
- A local time that comes twice is due the first time. The second time counts only for jobs of every hour, and only
  when it keeps their rhythm: `0 * * * *` runs in both hours, `30 2 * * *` and `30 */2 * * *` once.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from cronq.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
NEAR = timedelta(hours=3)  # no change of the clocks is larger, save that a country crossed the date line
_HASHED = re.compile(r"(^|[\s,])[hr]($|[\s,(/])", re.IGNORECASE)


def times(name: str, cron: str, tz: str, after: float) -> Iterator[float]:
    """Yield the due times after `after`, in seconds since the epoch. Raises UsageError that names the schedule."""
    zone = _zone(name, tz)
    matcher = _Matcher(name, cron)
    now = datetime.fromtimestamp(after, UTC)
    while True:
        found = matcher.first_after(_local(now, zone)).replace(tzinfo=zone).astimezone(UTC)
        if found > now and _is_calm(now, zone) and _is_calm(found, zone):
            yield found.timestamp()
            now = found
        elif found - 2 * NEAR > now and _is_calm(now, zone):
            now = found - 2 * NEAR  # the change is there, and nothing is due before
        else:
            yield from (at.timestamp() for at in _around_change(matcher, zone, now) if now < at <= now + NEAR)
            now += NEAR


class _Matcher:
    """The local times that match an expression."""

    def __init__(self, name: str, cron: str) -> None:
        self._name, self._cron = name, cron
        fields = cron.split()
        if len(fields) != 5 and cron not in ALIASES:
            raise self._error(f"must be five fields such as '30 2 * * *', or one of {', '.join(ALIASES)}")
        if _HASHED.search(cron):
            raise self._error("H and R (a time that the program chooses) are not supported")
        try:
            self._croniter = croniter(cron, datetime(2000, 1, 1))
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise self._error(f"is no cron expression: {error}") from None
        self.is_of_every_hour = self._croniter.expanded[1] == ["*"]  # as croniter reads 0-23 and */1, too

    def first_after(self, local: datetime) -> datetime:
        self._croniter.set_current(local, force=True)
        return self._next()

    def between(self, begin: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta]]:
        """Yield the local times after `begin` up to `end`, each with its distance from the one before."""
        self._croniter.set_current(self.first_after(begin), force=True)
        before: datetime = self._croniter.get_prev(datetime)
        found = self.first_after(before)
        while found <= end:
            if found > begin:
                yield found, found - before
            before, found = found, self.first_after(found)

    def _next(self) -> datetime:
        try:
            found: datetime = self._croniter.get_next(datetime)
        except CroniterBadDateError:
            raise self._error("never comes: no date fits it") from None
        return found

    def _error(self, why: str) -> UsageError:
        return UsageError(f"schedule {self._name}: cron = {self._cron!r}: {why}")


def _around_change(matcher: _Matcher, zone: ZoneInfo, now: datetime) -> list[datetime]:
    """Return the due times in the hours around `now`, where local time jumps."""
    middle = _local(now, zone)
    near = list(matcher.between(middle - 2 * NEAR, middle + 3 * NEAR))
    chosen = {local.replace(tzinfo=zone).astimezone(UTC) for local, _ in near}
    if matcher.is_of_every_hour:
        for local, distance in near:
            again = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
            earlier = [at for at in chosen if at < again]
            if _local(again, zone) == local and earlier and again - max(earlier) >= distance:
                chosen.add(again)
    return sorted(chosen)


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def _is_calm(at: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the clocks of the zone do not change near `at`."""
    return len({(at + shift).astimezone(zone).utcoffset() for shift in (-NEAR, timedelta(), NEAR)}) == 1


def _zone(name: str, tz: str) -> ZoneInfo:
    try:
        return ZoneInfo(tz)
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError; a directory, an OSError
        raise UsageError(
            f"schedule {name}: tz = {tz!r}: is no time zone that this host knows, such as 'Europe/Berlin' "
            f"({type(error).__name__}; the package tzdata brings them all)"
        ) from None

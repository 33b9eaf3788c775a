"""When a cron expression is due, in a time zone, over the changes of the clocks. Imports croniter: 25 ms.

croniter knows time zones, but not as a daily job needs it: given an aware start, it answers 02:30 twice on the night
when Berlin sets its clocks back, and moves a time that the clocks skip to the end of the gap, which adds a run to an
hourly job at half past (looked up in croniter 7.0, `_add_tzinfo`, and tried). So it is asked in plain local time
only, and the results are placed on the time line here:

- A local time that the clocks skip is taken by the offset before the change (02:30 is run at 03:30 then), as RFC 5545,
  java.time and JavaScript's Temporal do. An hourly job meets its next run there, and two runs at one instant are one.
- A local time that comes twice is due the first time. The second time counts only for jobs of every hour, and only
  when it keeps their rhythm: `0 * * * *` runs in both hours, `30 2 * * *` and `30 */2 * * *` once.

Clocks change at full minutes. So croniter is asked for the minutes only, and the seconds of a six-field expression are
counted from these; `@every 10s` counts from the epoch, whatever clocks on walls show.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

from cronq.errors import UsageError
from cronq.schedules.expression import every_s, read_as_crontab, split

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIASES = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
WANTS = (
    "five fields such as '30 2 * * *', six with the seconds in front ('*/10 * * * * *'), '@every 10s', or one of "
    f"{', '.join(ALIASES)}"
)
HOUR = timedelta(hours=1)
NEAR = timedelta(hours=3)  # no change of the clocks is larger, save that a country crossed the date line
_RANDOM = re.compile(r"(^|[\s,])r($|[\s,(/])", re.IGNORECASE)


def times(name: str, cron: str, tz: str, after: float) -> Iterator[float]:
    """Yield the due times after `after`, in seconds since the epoch. Raises UsageError that names the schedule."""
    zone = _zone(name, tz)
    try:
        period_s = every_s(cron)
    except ValueError as error:
        raise _error(name, cron, str(error)) from None
    if period_s is not None:
        yield from count((after // period_s + 1) * period_s, period_s)
        return
    field, rest = split(cron)
    matcher = _Matcher(name, cron, rest)
    if field == "0":
        yield from _minutes(matcher, zone, after)
    else:
        seconds = _seconds(name, cron, field)
        for minute in _minutes(matcher, zone, after - 60):
            yield from (minute + second for second in seconds if minute + second > after)


def _seconds(name: str, cron: str, field: str) -> list[int]:
    """Return which seconds a field names. They are written as minutes are, so croniter reads them as such."""
    found = _Matcher(name, cron, f"{field} * * * *").expanded[0]
    return list(range(60)) if found == ["*"] else sorted(found)


def _minutes(matcher: _Matcher, zone: ZoneInfo, after: float) -> Iterator[float]:
    now = datetime.fromtimestamp(after, UTC)
    while True:
        found = matcher.first_after(_local(now, zone)).replace(tzinfo=zone).astimezone(UTC)
        if found > now and _is_calm(now, zone) and _is_calm(found, zone):
            yield found.timestamp()
            now = found
        elif found - 2 * NEAR > now and _is_calm(now, zone):
            now = found - 2 * NEAR  # the change is there, and nothing is due before
        else:
            near = _around_change(matcher.fields, zone, now.replace(minute=0, second=0, microsecond=0))
            yield from (at.timestamp() for at in near if now < at <= now + NEAR)
            now += NEAR


class _Matcher:
    """The local minutes that match an expression; `fields` is what of it croniter is shown."""

    def __init__(self, name: str, cron: str, fields: str) -> None:
        self._name, self._cron, self.fields = name, cron, fields
        if len(fields.split()) != 5 and fields not in ALIASES:
            raise self._error(f"must be {WANTS}")
        if _RANDOM.search(fields):
            raise self._error("R would move with every look: H is a value that stays")
        read, is_either_enough = read_as_crontab(fields)
        try:
            self._croniter = croniter(read, datetime(2000, 1, 1), day_or=is_either_enough)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise self._error(f"is no cron expression: {error}") from None
        self.expanded: list[list[Any]] = self._croniter.expanded
        self.is_of_every_hour = self.expanded[1] == ["*"]  # as croniter reads 0-23 and */1, too

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
        return _error(self._name, self._cron, why)


def _error(name: str, cron: str, why: str) -> UsageError:
    return UsageError(f"schedule {name}: cron = {cron!r}: {why}")


@lru_cache(maxsize=16)
def _around_change(fields: str, zone: ZoneInfo, hour: datetime) -> tuple[datetime, ...]:
    """Return the due times from an hour in which local time may jump to NEAR after its end.

    Kept, since a job of seconds asks again and again, and walking through the minutes of a night takes 30 ms.
    """
    matcher = _Matcher("", fields, fields)
    middle = _local(hour, zone)
    near = list(matcher.between(middle - 2 * NEAR, middle + 3 * NEAR + HOUR))
    chosen = {local.replace(tzinfo=zone).astimezone(UTC) for local, _ in near}
    if matcher.is_of_every_hour:
        for local, distance in near:
            again = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
            if _local(again, zone) == local and _keeps_rhythm(again, chosen, distance):
                chosen.add(again)
    return tuple(sorted(chosen))


def _keeps_rhythm(again: datetime, chosen: set[datetime], distance: timedelta) -> bool:
    before = max((at for at in chosen if at < again), default=None)
    return before is not None and again - before >= distance


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

"""What cron expressions say beyond those of a crontab: seconds, `@every 10s`, `H` fields. Text only, without croniter.

Six fields begin with the seconds, as Quartz, Spring, Fugit, node-cron and robfig/cron have it. croniter alone takes
them last, which its users report as a bug; so it is never shown six.

`H` is a value that stands for chance and stays the same, as in Jenkins: `H H * * *` is once a day, at a time of the
schedule's own, so that not everything of everybody starts at midnight.
"""

from __future__ import annotations

import re

EVERY = "@every "
EVERY_AT_MOST_S = 86400
_SPAN = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?")
_HASHED = re.compile(r"h(?:\((\d{1,3})-(\d{1,3})\))?(?:/(\d{1,3}))?", re.IGNORECASE)
_WITH_H = re.compile(r"(?:^|[\s,])h", re.IGNORECASE)
# The values of each field, seconds first; the days of H end before February does.
_ONE_VALUE = re.compile(r"0*(\w+)-0*\1(?:/\d+)?", re.IGNORECASE)
_DAYS = ((2, "1-31"), (4, "0-6"))  # the fields of a crontab that name days, with all their values
_RANGES = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_H_ENDS = (59, 59, 23, 28, 12, 6)


def every_s(cron: str) -> int | None:
    """Return the seconds of `@every 1m30s`, None for any other expression. Raises ValueError for a wrong span."""
    if not cron.startswith(EVERY):
        return None
    found = _SPAN.fullmatch(cron.removeprefix(EVERY).strip())
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = hours * 3600 + minutes * 60 + seconds
    if not 1 <= total <= EVERY_AT_MOST_S:
        raise ValueError("must be @every and a span from 1s to 24h, such as '@every 10s' or '@every 1h30m'")
    return total


def split(cron: str) -> tuple[str, str]:
    """Return the field of the seconds, `0` where there is none, and the rest: what a crontab would have."""
    fields = cron.split()
    return (fields[0], " ".join(fields[1:])) if len(fields) == 6 else ("0", cron)


def is_sub_minute(cron: str) -> bool:
    """Tell whether it may be due at other times than full minutes, when no tick comes."""
    if cron.startswith(EVERY):
        return bool((every_s(cron) or 0) % 60)
    return split(cron)[0] != "0"


def resolve(cron: str, seed: str) -> str:
    """Return the expression with numbers in place of `H`: always the same for a seed. Raises ValueError."""
    if not _WITH_H.search(cron):
        return cron
    fields = cron.split()
    first = len(_RANGES) - len(fields)  # of five fields the first are the minutes
    if first not in {0, 1}:
        return cron
    return " ".join(_resolved_field(field, number, seed) for number, field in enumerate(fields, first))


def read_as_crontab(fields: str) -> tuple[str, bool]:
    """Return five fields as croniter reads them right, and whether one of two day fields is enough for a day to fit.

    It is when both say which days. A field that begins with `*` does not, also not as `*/2`: then both must fit
    (crontab(5); `DOM_STAR` and `DOW_STAR` in entry.c of Vixie's cron, which looks at the first character). A `*`
    further back names all days. `5-5` is 5, which croniter takes for the whole field.
    """
    written = fields.split()
    if len(written) != 5:
        return fields, True
    read = [",".join(_one_value(part) for part in field.split(",")) for field in written]
    is_enough = True
    for number, every in _DAYS:
        first, *others = read[number].split(",")
        if first[:1] in {"*", "?"}:
            is_enough = False
            read[number] = "*" if "*" in others else read[number]
        else:
            read[number] = ",".join([first, *(every + one[1:] if one[:1] == "*" else one for one in others)])
    return " ".join(read), is_enough


def _one_value(part: str) -> str:
    found = _ONE_VALUE.fullmatch(part)
    return found[1] if found else part


def _resolved_field(field: str, number: int, seed: str) -> str:
    parts = [_resolved(part, number, seed) if part[:1] in {"H", "h"} else part for part in field.split(",")]
    return ",".join(parts)


def _resolved(part: str, number: int, seed: str) -> str:
    low, high = _RANGES[number][0], _H_ENDS[number]
    found = _HASHED.fullmatch(part)
    if not found:
        raise ValueError(f"{part}: H stands alone, or as H(0-29), H/15 or H(0-29)/10")
    begin, end, step = (None if group is None else int(group) for group in found.groups())
    if begin is not None and end is not None:
        if not low <= begin <= end <= _RANGES[number][1]:
            raise ValueError(f"{part}: the values of this field go from {low} to {_RANGES[number][1]}")
        low, high = begin, end
    if step is None:
        return str(low + _chance(seed, number) % (high - low + 1))
    if not 1 <= step <= high - low + 1:
        raise ValueError(f"{part}: the step must be from 1 to {high - low + 1}")
    start = low + _chance(seed, number) % step
    return f"{start}-{high}/{step}" if start + step <= high else str(start)


def _chance(seed: str, number: int) -> int:
    """Return a large number that looks like chance; fields of one expression do not follow one another."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(f"{seed} {number}".encode(), digest_size=8).digest())

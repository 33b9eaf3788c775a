"""How often cron really ticks, measured: hosts allow 1, 5, 15 or 60 minutes, and rewrite what one asks for.

Until there is something to measure, it is what `cronq crontab install` was told.
"""

from __future__ import annotations

import os
from itertools import pairwise

from cronq.host.state_dir import read_text, replace_text
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from cronq.host.state_dir import StateDir

DEFAULT_S = 60.0
LONGEST_LIFE_S = 55 * 60.0  # hosts kill what runs an hour
_REMEMBERED = 12
_SHORTEST_GAP_S = 30.0  # cron's finest grain is a minute: what is closer was a person at the keyboard


class Planned(NamedTuple):
    """What somebody has set cron to: a tick every `interval_s`, since then (wall seconds)."""

    interval_s: float
    since: float


def read(path: str) -> list[float]:
    """Return the wall times of recent ticks, oldest first."""
    times: list[float] = []
    for line in (read_text(path) or "").splitlines():
        try:
            times.append(float(line))
        except ValueError:
            continue  # a line cut off by a full disk
    return times


def note(path: str, now: float) -> list[float]:
    """Add `now` to the recent ticks and return them all. Times that lie ahead are forgotten: the clock was set back."""
    times = [time for time in read(path) if time < now][-_REMEMBERED + 1 :]
    times.append(now)
    replace_text(path, "".join(f"{time:.3f}\n" for time in times))
    return times


def plan(path: str, interval_s: float, now: float) -> None:
    """Write down that cron will tick every `interval_s` from `now` on, unless that is what was written last."""
    known = planned(path)
    if known is None or known.interval_s != interval_s:
        replace_text(path, f"{interval_s:.0f} {now:.3f}\n")


def forget_plan(path: str) -> None:
    """Expect nothing any more: cron was told to tick no longer."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def planned(path: str) -> Planned | None:
    """Return what was written down last; None when nothing was, or only half of it."""
    try:
        interval_s, since = (read_text(path) or "").split()
        return Planned(float(interval_s), float(since))
    except ValueError:
        return None


def measured(times: Sequence[float], plan: Planned | None = None) -> float | None:
    """Return the interval in seconds: the median of the gaps, one being enough; else what is planned; else None."""
    found = gaps(times, plan)
    if found:
        return found[len(found) // 2]
    return None if plan is None else plan.interval_s


def gaps(times: Sequence[float], plan: Planned | None = None) -> list[float]:
    """Return the gaps between ticks in order of length. Ticks from before the plan were another cron's."""
    since = 0.0 if plan is None else plan.since
    found = sorted(later - earlier for earlier, later in pairwise(time for time in times if time >= since))
    return [gap for gap in found if gap >= _SHORTEST_GAP_S]


def current(state: StateDir, configured: float | Literal["auto"] = "auto") -> float:
    """Return the interval in seconds: as configured, else as measured or planned, else a minute."""
    if configured != "auto":
        return configured
    return measured(read(state.ticks), planned(state.interval)) or DEFAULT_S


def life_s(interval_s: float, time_limit_s: float | Literal["auto"] = "auto") -> float:
    """Return how long a consumer may live.

    `"auto"` is one and a half intervals: long enough that the next tick finds it alive and starts its successor,
    short enough that without cron all is gone soon; never longer than hosts let a process run.
    """
    if time_limit_s != "auto":
        return time_limit_s
    return min(1.5 * interval_s, LONGEST_LIFE_S)


def lapse_s(interval_s: float) -> float:
    """Return how long a reservation stands without its host's tick: five minutes, or two and a half intervals."""
    return max(300.0, 2.5 * interval_s)

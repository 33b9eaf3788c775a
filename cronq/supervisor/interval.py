"""How often cron really ticks, measured: hosts allow 1, 5, 15 or 60 minutes, and rewrite what one asks for."""

from __future__ import annotations

from itertools import pairwise

from cronq.host.state_dir import read_text, replace_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

DEFAULT_S = 60.0
LONGEST_LIFE_S = 55 * 60.0  # hosts kill what runs an hour
_REMEMBERED = 12
_SHORTEST_GAP_S = 30.0  # cron's finest grain is a minute: what is closer was a person at the keyboard


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


def measured(times: Sequence[float], configured: float | Literal["auto"] = "auto") -> float:
    """Return the interval in seconds: as configured, else the median gap between ticks, else a minute."""
    if configured != "auto":
        return configured
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    gaps = [gap for gap in gaps if gap >= _SHORTEST_GAP_S]
    return gaps[len(gaps) // 2] if len(gaps) > 1 else DEFAULT_S


def current(path: str, configured: float | Literal["auto"] = "auto") -> float:
    """Return the interval in seconds as the ticks noted at `path` tell it, or as configured."""
    return measured(read(path), configured)


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

"""How often cron really ticks, measured: hosts allow 1, 5, 15 or 60 minutes, and rewrite what one asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from cronq.host.state_dir import read_text, replace_text

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_S = 60.0
LONGEST_LIFE_S = 55 * 60.0  # hosts kill what runs an hour
_REMEMBERED = 12


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
    times = [time for time in read(path) if time < now][-_REMEMBERED + 1 :] + [now]
    replace_text(path, "".join(f"{time:.3f}\n" for time in times))
    return times


def measured(times: Sequence[float], configured: float | Literal["auto"] = "auto") -> float:
    """Return the interval in seconds: as configured, else the median gap between ticks, else a minute."""
    if configured != "auto":
        return configured
    gaps = sorted(later - earlier for earlier, later in zip(times, times[1:], strict=False))
    if len(gaps) < 2:
        return DEFAULT_S
    return max(1.0, gaps[len(gaps) // 2])


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

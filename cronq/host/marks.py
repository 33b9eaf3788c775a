"""Alive marks: a file per queue whose mtime is the last time a real consumer looked.

They are for where locks prove nothing (`cronq.supervisor.presence`), and for people: `cronq status`."""

from __future__ import annotations

import os

from cronq.host.state_dir import open_private


def touch(path: str, now: float) -> None:
    """Say that a consumer looked at the queue at `now`."""
    try:
        os.utime(path, (now, now), follow_symlinks=False)
    except FileNotFoundError:
        os.close(open_private(path, os.O_WRONLY))
        os.utime(path, (now, now), follow_symlinks=False)


_CLOCKS_DIFFER_S = 60.0


def age_s(path: str, now: float) -> float | None:
    """Return how long ago a consumer looked; None when none ever did.

    A mark that lies more than a minute ahead is none: the clock was set back, and a living consumer would have
    made a new one since.
    """
    try:
        age = now - os.stat(path, follow_symlinks=False).st_mtime
    except OSError:
        return None
    return None if age < -_CLOCKS_DIFFER_S else max(0.0, age)

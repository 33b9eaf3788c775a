"""Which consumers ticks have told to end because they are overdue, and when first: `run/overdue`."""

from __future__ import annotations

import os

from cronq.host.state_dir import read_text, replace_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.host.state_dir import StateDir


def read(state: StateDir) -> dict[str, float]:
    """Return which holders the last tick that found any has told to end, with the monotonic time of the first time."""
    told: dict[str, float] = {}
    for line in (read_text(_file(state)) or "").splitlines():
        holder, _, at = line.rpartition(" ")
        try:
            told[holder] = float(at)
        except ValueError:
            continue  # a line cut off by a full disk
    return told


def write(state: StateDir, told: Mapping[str, float]) -> None:
    """Remember who was told to end and is overdue still; all others are forgotten."""
    if told or os.path.exists(_file(state)):
        replace_text(_file(state), "".join(f"{holder} {at:.3f}\n" for holder, at in told.items()))


def _file(state: StateDir) -> str:
    return f"{state.run}/overdue"

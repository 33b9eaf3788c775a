"""How long tasks took, kept for the processes that come after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer import run_times
from cronq.events import emit
from cronq.host.state_dir import read_text, replace_text

if TYPE_CHECKING:
    from cronq.host.state_dir import StateDir


def remember(state: StateDir, measured: run_times.Durations) -> None:
    """Add how long tasks took here to what is known: web processes are spared those that would not fit."""
    new = measured.p95()
    if not new:
        return
    try:
        known = run_times.from_text(read_text(state.durations) or "")
        replace_text(state.durations, run_times.to_text(known | new))
    except OSError as error:
        emit("trouble", error=error)

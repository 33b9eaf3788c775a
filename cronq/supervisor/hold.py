"""The `stop` file: its change tells consumers to leave, its content until when the tick starts no new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.host.state_dir import read_text, replace_text

if TYPE_CHECKING:
    from cronq.host.state_dir import StateDir


def until(state: StateDir) -> float:
    """Return the wall time until which nothing is started; 0 when nobody holds the consumers back."""
    try:
        return float(read_text(state.stop) or 0)
    except ValueError:
        return 0.0


def put(state: StateDir, wall: float) -> None:
    """Tell every consumer to leave, and start none before `wall` (0: the next tick may)."""
    replace_text(state.stop, f"{wall:.3f}\n")

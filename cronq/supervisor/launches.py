"""Consumers that somebody has started and that have not taken their slot yet: a file per group says when."""

from __future__ import annotations

import os

from cronq.host.process import PRESSURE
from cronq.host.state_dir import read_text, replace_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.host.state_dir import StateDir
    from cronq.supervisor.slots import Seen

ARRIVES_WITHIN_S = 5.0  # an interpreter that starts on a throttled host; whoever takes longer is started again


def note(state: StateDir, group: str, monotonic: float) -> None:
    """Say that a consumer of a group is started now. On a full disk nobody knows; seats and slots bound the rest."""
    try:
        replace_text(state.launch(group), f"{monotonic:.3f}\n")
    except OSError as error:
        if error.errno not in PRESSURE:
            raise


def is_under_way(state: StateDir, group: str, slots: Sequence[Seen], monotonic: float) -> bool:
    """Tell whether a consumer of the group was started a moment ago and has written nothing into a slot since."""
    try:
        at = float(read_text(state.launch(group)) or "-inf")
    except ValueError:
        return False
    if not 0 <= monotonic - at < ARRIVES_WITHIN_S:
        return False
    return not any(_has_arrived(seen, at) for seen in slots if seen.group == group)


def _has_arrived(seen: Seen, at: float) -> bool:
    """Our own note is not read, since that would drop the lock; and whoever asks has arrived."""
    return seen.pid == os.getpid() or (seen.note is not None and seen.note.begun >= at)

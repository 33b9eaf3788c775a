"""Keeping the state directory small, a little at every tick."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cronq.host.state_dir import NEW

if TYPE_CHECKING:
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
    from cronq.transports.base import Transport

PRUNED_AT_ONCE = 1000
HALF_WRITTEN_S = 60.0  # nobody takes so long to write a small file


def tidy(settings: Settings, state: StateDir, transport: Transport, now: float) -> None:
    """Delete what is past its retention, start a new log where one has grown too big, remove what the killed left."""
    transport.prune(settings.failures_keep_s, PRUNED_AT_ONCE)
    for path in (state.log, state.output):
        _rotate(path, settings.log_max_mb * 1024 * 1024)
    for directory in (state.path, state.run):
        _remove_half_written(directory, now)


def _rotate(path: str, most_bytes: int) -> None:
    """Keep one older log. Whoever still writes into it keeps doing so until it ends."""
    try:
        if os.stat(path).st_size > most_bytes:
            os.replace(path, f"{path}.1")
    except FileNotFoundError:
        pass


def _remove_half_written(directory: str, now: float) -> None:
    for name in os.listdir(directory):
        if name.endswith(NEW):
            path = f"{directory}/{name}"
            try:
                if now - os.stat(path).st_mtime > HALF_WRITTEN_S:
                    os.unlink(path)
            except FileNotFoundError:
                pass

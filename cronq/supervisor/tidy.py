"""Keeping the state directory small, a little at every tick."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
    from cronq.transports.base import Transport

PRUNED_AT_ONCE = 1000


def tidy(settings: Settings, state: StateDir, transport: Transport) -> None:
    """Delete what is past its retention, and start a new log where one has grown too big."""
    transport.prune(settings.failures_keep_s, PRUNED_AT_ONCE)
    for path in (state.log, state.output):
        _rotate(path, settings.log_max_mb * 1024 * 1024)


def _rotate(path: str, most_bytes: int) -> None:
    """Keep one older log. Whoever still writes into it keeps doing so until it ends."""
    try:
        if os.stat(path).st_size > most_bytes:
            os.replace(path, f"{path}.1")
    except FileNotFoundError:
        pass

"""Keeping the state directory small, a little at every tick."""

from __future__ import annotations

import os

from cronq.host.state_dir import NEW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
    from cronq.transports.abilities.upkeep import Upkeep

PRUNED_AT_ONCE = 1000  # a transaction of 10 ms: nobody waits long for the write lock
BUDGET_S = 0.3  # of the second that a tick may take; about 30,000 messages, 500 for each second of a minute
HALF_WRITTEN_S = 60.0  # nobody takes so long to write a small file


def tidy(settings: Settings, state: StateDir, transport: Upkeep, clock: Clock) -> None:
    """Delete what is past its retention, start a new log where one has grown too big, remove what the killed left."""
    _prune(settings.failures_keep_s, transport, clock)
    for path in (state.log, state.output):
        _rotate(path, settings.log_max_mb * 1024 * 1024)
    for directory in (state.path, state.run):
        _remove_half_written(directory, clock.now())


def _prune(failures_keep_s: float, transport: Upkeep, clock: Clock) -> None:
    """Delete slice by slice until nothing is left to delete, or the time for it is over."""
    until = clock.monotonic() + BUDGET_S
    while transport.prune(failures_keep_s, PRUNED_AT_ONCE) >= PRUNED_AT_ONCE and clock.monotonic() < until:
        pass


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

"""Whether an installation has a spool, and the room that is reserved for it while there is some."""

from __future__ import annotations

import os
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.config.settings import Settings
    from cronq.host.spool import Spool
    from cronq.host.state_dir import StateDir


def spool_of(settings: Settings, state: StateDir, patience_s: float | None = None) -> Spool | None:
    """Return the spool; None where nothing outlives the process, or the system has no such files.

    Also None where none is wanted, unless it is there: what was kept in it before is to be replayed.
    `patience_s`: how long it waits for others that read or write it.
    """
    if not settings.transport.startswith("sqlite:") or not hasattr(os, "posix_fallocate"):
        return None
    if not settings.spool and not os.path.exists(state.spool):
        return None
    return _opened(state.spool, settings.spool_mb * 1024 * 1024, patience_s)


@lru_cache(maxsize=8)
def _opened(path: str, size: int, patience_s: float | None) -> Spool:
    """Return the same object each time: it knows where records ended, and need not look through all of them again."""
    from cronq.host.spool import PATIENCE_S, Spool

    return Spool(path, size, PATIENCE_S if patience_s is None else patience_s)


def reserve_room(spool: Spool) -> bool:
    """Make the spool with its room where it has none; tell whether it has. That it cannot is written to the log."""
    try:
        if not spool.is_reserved():
            spool.reserve()
    except OSError as error:  # `cronq check` says it, too; the store may be written for all that
        from cronq.events import emit

        emit("trouble", error=error)
        return False
    return True

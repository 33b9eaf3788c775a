"""The files whose change says that there is new code, or that everybody is to leave."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir


def watched_files(settings: Settings, state: StateDir) -> list[str]:
    """Return their paths: `stop`, the code markers, and `tmp/restart.txt`, by which Passenger is told of new code."""
    restart = os.path.join(settings.base_dir, "tmp", "restart.txt")
    return [state.stop, restart, *settings.code_marker]

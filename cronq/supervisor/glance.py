"""Whether consumers at rest serve some queues, as their notes say: for processes that have only just begun to enqueue.

The full look (`supervisor.help`) asks the locks, and importing what that needs takes 3 ms. The note of a process that
runs (pid, start and boot) and waits for messages proves as much; only what it does not prove is looked at in full.
"""

from __future__ import annotations

import os
import sys

from cronq.host.process import runs
from cronq.host.state_dir import read_text
from cronq.messages.holder import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from cronq.host.state_dir import StateDir


def are_served(state: StateDir, queues: Collection[str]) -> bool:
    """Tell whether every one of `queues` is known to have a consumer of this host that waits for messages.

    A process that may hold locks opens no slot: closing the file would drop them.
    """
    if "cronq.host.locks" in sys.modules:
        return False
    missing = set(queues)
    try:
        for name in os.listdir(state.run):
            if name.endswith(".pid") and not name.startswith("inline."):
                missing.difference_update(_waits_for(f"{state.run}/{name}"))
    except OSError:
        return False
    return not missing


def _waits_for(path: str) -> list[str]:
    """Return the queues of the consumer whose note this is, if it runs and is at rest."""
    head, _, tail = (read_text(path) or "").partition("\n")
    fields = dict(line.partition(" ")[::2] for line in tail.splitlines())
    try:
        is_at_rest = fields["state"] == "consuming" and float(head.split()[1]) == 0
        return fields["queues"].split() if is_at_rest and runs(Holder.parse(fields["holder"])) else []
    except (KeyError, ValueError, IndexError):
        return []

"""Who holds a reservation: one turn of one process in one slot of one host."""

from __future__ import annotations

import os

from cronq.namedtuple import NamedTuple


class Holder(NamedTuple):
    """Identity that survives reuse: a pid alone is handed to strangers, and a boot restarts the count.

    `started` is the process's start in clock ticks since boot, as the kernel counts it (proc(5), stat field 22):
    unlike a wall time it does not move when somebody sets the clock. `turn` counts the slots that a process has taken:
    a web process takes one with every drain, and what an earlier drain left behind is not what this one holds.
    """

    host: str
    slot: str
    pid: int
    started: int
    boot: str
    turn: int = 0

    def __str__(self) -> str:
        return f"{self.host}/{self.slot}/{self.pid}/{self.started}/{self.boot}/{self.turn}"

    @classmethod
    def parse(cls, text: str) -> Holder:
        """Read what `str()` wrote. Raises ValueError for anything else."""
        host, slot, pid, started, boot, turn = text.split("/")
        return cls(host, slot, int(pid), int(started), boot, int(turn))


def machine_name() -> str:
    """Return what this host calls itself; empty when it has no name."""
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")

"""What ended a process that could not say it itself, from what is known of it. Pure."""

from __future__ import annotations

from cronq.messages.attempts import KILLED, OUT_OF_MEMORY, Cause
from cronq.namedtuple import NamedTuple

NEAR = 0.85  # of a limit: who was last seen there and died without a word probably met it a moment later


class Memory(NamedTuple):
    """The last that is known of a process's memory: `used_mb` (0: nothing), its limits, and kills for lack of it.

    `limits_mb` are all that were in force; `oom_kills` is how many processes of its control group the kernel has
    killed meanwhile.
    """

    used_mb: float = 0.0
    limits_mb: tuple[float, ...] = ()
    oom_kills: int = 0

    @property
    def limit_mb(self) -> float | None:
        return min(self.limits_mb, default=None)

    @property
    def seen(self) -> str:
        """How much was seen, in words; empty when nothing is known."""
        if not self.used_mb:
            return ""
        of = "" if self.limit_mb is None else f" of {self.limit_mb:.0f}"
        return f"last seen at {self.used_mb:.0f}{of} MB"


def of_silent_death(who: str, memory: Memory) -> Cause:
    """Say why `who` ended, whose exit nobody saw."""
    why = out_of_memory(memory)
    if why is not None:
        return Cause(OUT_OF_MEMORY, f"{who} died while running it: {why}")
    seen = f"; {memory.seen}" if memory.seen else ""
    return Cause(KILLED, f"{who} died while running it: killed by a signal, or crashed{seen}")


def out_of_memory(memory: Memory) -> str | None:
    """Say so when what is known of a dead process's memory explains its death."""
    seen = f", {memory.seen}" if memory.seen else ""
    if memory.oom_kills:
        return f"out of memory: the kernel has killed for lack of it{seen}"
    if memory.limit_mb is not None and memory.used_mb >= NEAR * memory.limit_mb:
        return f"probably out of memory{seen}"
    return None

"""How long tasks take, measured, so that web processes are spared those that will not fit."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_REMEMBERED = 64  # runs per task


class Durations:
    """The last runs of every task of this process, in seconds."""

    def __init__(self) -> None:
        self._runs: dict[str, deque[float]] = {}

    def add(self, task: str, seconds: float) -> None:
        runs = self._runs.get(task)
        if runs is None:
            runs = self._runs[task] = deque(maxlen=_REMEMBERED)
        runs.append(seconds)

    def p95(self) -> dict[str, float]:
        """Return for every task what 95 of 100 runs stay below."""
        return {task: _p95(runs) for task, runs in self._runs.items()}

    def p95_of(self, task: str) -> float | None:
        """Return it for one task; None when that has not been run."""
        runs = self._runs.get(task)
        return None if runs is None else _p95(runs)


def _p95(runs: Collection[float]) -> float:
    return sorted(runs)[int(len(runs) * 0.95)]


def to_text(known: Mapping[str, float]) -> str:
    """Write durations as lines of `seconds task`."""
    return "".join(f"{seconds:.4f} {task}\n" for task, seconds in sorted(known.items()))


def from_text(text: str) -> dict[str, float]:
    """Read what `to_text` wrote; lines that were cut off are left out."""
    known: dict[str, float] = {}
    for line in text.splitlines():
        seconds, _, task = line.partition(" ")
        try:
            known[task] = float(seconds)
        except ValueError:
            continue
    return known

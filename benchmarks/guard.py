"""`python -m benchmarks.guard [--update]`: counts that must not grow. For CI: nothing here is timed.

Compares with `guard.json` and fails when something has grown by more than a tenth. `--update` writes what is counted
now there, for a change that is worth it.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping

BASELINE = Path(__file__).with_name("guard.json")
TOLERANCE = 0.10
BUILD = f"Python {sys.version_info.major}.{sys.version_info.minor}, SQLite {sqlite3.sqlite_version.rpartition('.')[0]}"
DEPENDS_ON_BUILD = ("instructions", "modules")


class Baseline(TypedDict):
    """What `guard.json` holds."""

    build: str
    counts: dict[str, float]


class Change(NamedTuple):
    """What one count was and is. None: it was not counted then, or is not now."""

    name: str
    before: float | None
    now: float | None

    @property
    def has_grown(self) -> bool:
        """Tell whether it is more than the tolerance allows, or new, or gone: then the baseline says nothing of it."""
        if self.before is None or self.now is None:
            return True
        return self.now > self.before * (1 + TOLERANCE) + 1e-9

    @property
    def has_shrunk(self) -> bool:
        return not self.has_grown and self.now is not None and self.now < (self.before or 0) * (1 - TOLERANCE)

    def text(self) -> str:
        word = "GROWN" if self.has_grown else "less" if self.has_shrunk else "ok"
        return f"{word:<6} {self.name:<62} {_number(self.before):>9} -> {_number(self.now):>9}"


def compare(before: Mapping[str, float], now: Mapping[str, float]) -> list[Change]:
    """Return every count that was or is, in the order of the names."""
    return [Change(name, before.get(name), now.get(name)) for name in sorted({*before, *now})]


def main(words: list[str] | None = None, baseline: Path = BASELINE) -> int:
    """Count and compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write what is counted now as what it may be")
    given = parser.parse_args(words)
    counts = count()
    if given.update:
        known: Baseline = {"build": BUILD, "counts": {name: round(value, 4) for name, value in sorted(counts.items())}}
        baseline.write_text(json.dumps(known, indent=2) + "\n")
        return 0
    return judge(json.loads(baseline.read_text()), counts)


def judge(known: Baseline, counts: Mapping[str, float]) -> int:
    """Print how counts compare with a baseline; return 1 when something has grown."""
    before = known["counts"]
    if known["build"] != BUILD:
        _say(f"the baseline is of {known['build']}: instructions and imports are not compared on {BUILD}")
        before = {name: value for name, value in before.items() if not name.startswith(DEPENDS_ON_BUILD)}
        counts = {name: value for name, value in counts.items() if not name.startswith(DEPENDS_ON_BUILD)}
    changes = compare(before, counts)
    for change in changes:
        _say(change.text())
    if any(change.has_grown for change in changes):
        _say("\nSomething has grown by more than a tenth. If it is worth it: python -m benchmarks.guard --update")
        return 1
    if any(change.has_shrunk for change in changes):
        _say("\nSomething has become less. Keep it so: python -m benchmarks.guard --update")
    return 0


def count() -> dict[str, float]:
    """Count everything."""
    from benchmarks.guarded import imports, instructions, sql, syncs

    return {**sql.count(), **syncs.count(), **imports.count(), **instructions.count()}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())

"""Modules that an idle tick imports, beyond what Python imports by itself."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.project import environment, project, started, tick_command, tick_words
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

CODE = "import sys; before = set(sys.modules); from cronq.cli.entry import run; run({words}); "
PRINT = "print(*sorted(set(sys.modules) - before))"


def names() -> list[str]:
    """Return the names of the modules."""
    with project() as path:
        started(path)
        wait_until(lambda: _remembers(path))
        code = CODE.format(words=tick_words(path)) + PRINT
        said = subprocess.run([sys.executable, "-c", code], env=environment(path), check=True, stdout=subprocess.PIPE)
    return said.stdout.decode().split()


def _remembers(path: Path) -> bool:
    """Tick once more; tell whether the configuration is remembered, as it is in all but the first two seconds."""
    subprocess.run(tick_command(path), env=environment(path), check=True)
    return any((path / "__pycache__").glob("cronq.toml.*"))


def count() -> dict[str, float]:
    return {"modules that an idle tick imports": len(names())}

"""fsync and fdatasync calls, counted by the preloaded shim. Commits that do not reach the disk are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import shim
from benchmarks.places import REPOSITORY, work_directory

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES = 500


def count() -> dict[str, float]:
    """Return syncs by what causes them."""
    with work_directory() as directory:
        variables = shim.environment(count_in=directory / "syncs")
        command = [sys.executable, "-m", __name__, str(directory)]
        said = subprocess.run(
            command, cwd=REPOSITORY, env={**os.environ, **variables}, check=True, stdout=subprocess.PIPE
        )
    counts: dict[str, float] = json.loads(said.stdout)
    return counts


def _count(directory: Path) -> dict[str, float]:
    from benchmarks.guarded.workload import Workload, serve

    counter = directory / "syncs"
    work = Workload(directory)
    work.enqueue(1)
    at = [shim.counted(counter)]
    actions: tuple[Callable[[], object], ...] = (
        lambda: work.enqueue(20),
        lambda: serve(work.site_that_enqueues, 10),
        lambda: work.enqueue_at_once(MESSAGES - 121),
        lambda: work.drain(MESSAGES),
    )
    for action in actions:
        action()
        at.append(shim.counted(counter))
    one_by_one, requests, at_once, drain = (after - before for before, after in pairwise(at))
    return {
        "syncs per message, enqueue": one_by_one / 20,
        "syncs per web request that enqueues 10": requests / 10,
        "syncs of an enqueue_many": at_once,
        f"syncs of a drain of {MESSAGES}": drain,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_count(Path(sys.argv[1]))))

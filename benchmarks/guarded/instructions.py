"""Instructions, counted by valgrind: the same in every run, whatever else the machine does.

They depend on how Python was built, so each is told in percent of a fixed piece of Python
run in the same process.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import shim
from benchmarks.places import REPOSITORY, work_directory

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE = REPOSITORY / "benchmarks" / "guarded" / "measured.c"
TIMES = 100
NAMES = ("request without hook", "request with hook", "look", "enqueue", "drain")


class ValgrindMissing(Exception):
    """The text says what to install."""


def count() -> dict[str, float]:
    """Return the cost of the hook and of a message that does nothing. Raises ValgrindMissing."""
    if shutil.which("valgrind") is None:
        raise ValgrindMissing("needs valgrind: apt-get install valgrind (.ci/run does)")
    with work_directory() as directory:
        reference, *totals = _callgrind(directory)
    cost = {name: 100 * total / reference for name, total in zip(NAMES, totals, strict=True)}
    return {
        "instructions of the WSGI hook, % of the reference": cost["request with hook"] - cost["request without hook"],
        "instructions of a look who is there, % of the reference": cost["look"],
        "instructions of an enqueue, % of the reference": cost["enqueue"],
        "instructions of a no-op message, % of the reference": cost["drain"],
    }


def _callgrind(directory: Path) -> list[int]:
    """Run this module under callgrind; return the instructions of each measured call, in order."""
    command = [
        *("setarch", "-R", "valgrind", "--tool=callgrind", "--instr-atstart=no"),
        *(f"--callgrind-out-file={directory}/out", "--quiet", sys.executable, "-m", __name__, str(directory)),
    ]
    env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONMALLOC": "pymalloc"}
    done = subprocess.run(command, cwd=REPOSITORY, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"valgrind: {done.stderr.strip()[-2000:]}")
    dumps = sorted(directory.glob("out.*"), key=lambda path: int(path.suffix[1:]))
    found = [re.search(r"^totals: (\d+)", path.read_text(), re.MULTILINE) for path in dumps]
    return [int(one[1]) for one in found if one is not None][: 1 + len(NAMES)]


def _run(directory: Path) -> None:
    """Do each thing once, so that nothing is imported or opened later, then once more to be counted."""
    from benchmarks.guarded.workload import Workload, page, serve

    library = ctypes.CDLL(str(shim.build(SOURCE)))
    action_of = ctypes.CFUNCTYPE(None)
    work = Workload(directory)
    steps: list[Callable[[], object]] = [
        _reference,
        lambda: serve(page, TIMES),
        lambda: serve(work.site, TIMES),
        work.look,
        lambda: work.enqueue(TIMES),
        lambda: work.drain(TIMES),
    ]
    for step in steps:
        step()
    gc.collect()
    gc.disable()
    for step in steps:
        serve(work.site, 1)  # which looks who is there, so that nobody does for a second
        library.measured(action_of(step))
    sys.stdout.flush()
    os._exit(0)


def _reference() -> None:
    """Plain Python: calls, attributes, tuples, dictionaries, text."""
    for number in range(TIMES):
        pairs = {str(one): (one, number) for one in range(20)}
        assert sum(len(f"{name}:{value[0]}") for name, value in sorted(pairs.items())) > 0


if __name__ == "__main__":
    _run(Path(sys.argv[1]))

"""A process that inherits all that its ticks leave behind, and has counted what they used: for `quiet_day`.

`python -m benchmarks.inheritor` with JSON as its only argument: the command of a tick, how many, how many seconds
apart, and the command that has consumers leave. It prints JSON: the CPU seconds of everything, those of ticks alone,
and of the processes between two ticks how many there are, and their RSS and PSS in MB (medians).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import subprocess
import sys
import time
from statistics import median_low
from typing import NamedTuple

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, prctl(2)
_SETTLING_TICKS = 3  # the first makes the database, and consumers have not handed over yet


class Memory(NamedTuple):
    """How many processes there are, and what they take, in MB."""

    processes: int
    rss_mb: float
    pss_mb: float


def main(given: str) -> None:
    """Count as told, and print it."""
    tick, ticks, interval_s, stop = json.loads(given)
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    for _ in range(_SETTLING_TICKS):
        _run(tick, interval_s)
    began, of_ticks, seen = _used_s(), 0.0, []
    for _ in range(ticks):
        of_ticks += _run(tick, interval_s)
        seen.append(_memory())
    before_stop = _used_s()
    subprocess.run(stop, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    of_stop = _used_s() - before_stop  # consumers that it ends are not waited for yet
    while _reap(0):
        pass
    sys.stdout.write(json.dumps([_used_s() - of_stop - began, of_ticks, *median_low(seen)]))


def _run(tick: list[str], interval_s: float) -> float:
    """Tick, wait for the next one, and return what the tick alone used."""
    before = _used_s()
    subprocess.run(tick, stdin=subprocess.DEVNULL, check=True)
    used_s = _used_s() - before
    until = time.monotonic() + interval_s
    while time.monotonic() < until:
        while _reap(os.WNOHANG):
            pass
        time.sleep(0.1)
    return used_s


def _used_s() -> float:
    """CPU seconds of all processes that have ended and were waited for (getrusage(2))."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _reap(flags: int) -> bool:
    """Wait for a child that has ended; tell whether there was one."""
    try:
        return os.waitpid(-1, flags)[0] != 0
    except ChildProcessError:
        return False


def _memory() -> Memory:
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        pids = file.read().split()
    found = [kb for pid in pids if (kb := _kb_of(pid))]
    return Memory(len(found), sum(kb["Rss"] for kb in found) / 1024, sum(kb["Pss"] for kb in found) / 1024)


def _kb_of(pid: str) -> dict[str, int]:
    """Return what the kernel says of a process's memory; nothing when it has ended."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            lines = [line.split(":") for line in file if line.endswith("kB\n")]
    except OSError:
        return {}
    return {name: int(value.split()[0]) for name, value in lines}


if __name__ == "__main__":
    main(sys.argv[1])

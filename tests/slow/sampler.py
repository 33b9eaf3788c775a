"""Looks at the slots many times a second and writes down what it saw: `python -m tests.slow.sampler STATE LOCK OUT`.

A process of its own, so that neither the test's threads nor the shop hold it up.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from typing import NamedTuple

from cronq.host.state_dir import StateDir
from cronq.supervisor.slots import CONSUMING, Seen, survey

EVERY_S = 0.02


class Sample(NamedTuple):
    """One look. `ready`: a standby consumer was consuming. `locked`: the crontab line's `flock` was held."""

    at: float
    ready: bool
    locked: bool
    live: dict[str, int]


def main(state_dir: str, lock_file: str, output: str) -> None:
    state = StateDir(state_dir)
    with open(output, "a", encoding="ascii", buffering=1) as file:
        while True:
            file.write(json.dumps(look(state, lock_file)) + "\n")
            time.sleep(EVERY_S)


def look(state: StateDir, lock_file: str) -> Sample:
    seen = survey(state)
    live = Counter(one.group for one in seen if one.is_live)
    return Sample(time.time(), any(map(is_ready, seen)), is_flocked(lock_file), dict(live))


def is_ready(seen: Seen) -> bool:
    return seen.group == "standby" and seen.live_note is not None and seen.live_note.state == CONSUMING


def is_flocked(path: str) -> bool:
    """Tell whether anybody holds a flock on the file, from /proc/locks: trying to take it could turn a tick away."""
    try:
        inode = os.stat(path).st_ino
    except FileNotFoundError:
        return False
    with open("/proc/locks", encoding="ascii") as file:
        return any(" FLOCK " in line and f":{inode} " in line for line in file)


if __name__ == "__main__":
    main(*sys.argv[1:])

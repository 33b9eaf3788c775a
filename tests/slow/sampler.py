"""Looks at the slots many times a second and writes down what it saw: `python -m tests.slow.sampler STATE LOCK OUT`.

A process of its own, so that neither the test's threads nor the shop hold it up.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cronq.host.state_dir import StateDir
from cronq.supervisor.slots import CONSUMING, Seen, survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.holder import Holder

EVERY_S = 0.02


class Sample(NamedTuple):
    """One look. `ready`: a standby consumer was consuming. `locked`: the crontab line's `flock` was held.

    `live` counts the slots that were held, by group, `begun` the consumers that were at work at the same moment: one
    too many holds its slot until it has found that the account has no seat for it.
    """

    at: float
    ready: bool
    locked: bool
    live: dict[str, int]
    begun: int


def main(state_dir: str, lock_file: str, output: str) -> None:
    state = StateDir(state_dir)
    with open(output, "a", encoding="ascii", buffering=1) as file:
        while True:
            file.write(json.dumps(look(state, lock_file)) + "\n")
            time.sleep(EVERY_S)


def look(state: StateDir, lock_file: str) -> Sample:
    seen = survey(state)
    live = Counter(one.group for one in seen if one.is_live)
    # A survey takes its time. Who is there before and after was there in between, together with all others of whom
    # that is true.
    begun = holders_at_work(seen) & holders_at_work(survey(state))
    return Sample(time.time(), any(map(is_ready, seen)), is_flocked(lock_file), dict(live), len(begun))


def holders_at_work(seen: Sequence[Seen]) -> set[Holder]:
    notes = [one.live_note for one in seen if not one.is_inline]
    return {note.holder for note in notes if note is not None and not note.has_left}


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

"""The bound on waits, with starts and ends of consumers that take their time: strace(1) delays one call of theirs.

`python -m tests.reliability.delays [TIMES]`. A consumer stands still on its way in or out, between two steps that
others can tell apart; a message comes and pages are asked for before, while or after it does. No tick runs. The message
is due with the first page view after it, or, where the consumer that stands still is in its slot and so cannot be told
from one at work, when it goes on. It must be run within two seconds of that, once, and by nobody else before.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import product
from math import inf
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from cronq.supervisor import slots
from tests.reliability.waits import MODES, VIEWS_APART_S, site
from tests.supervisor.project import HEAD
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.reliability.waits import Trial
    from tests.supervisor.project import Project

BOUND_S = 2.0
SILENT_S = 30.0  # then nobody comes: there is no tick, and marks are fresh for ten minutes
STARTED_AGAIN_S = 5.0  # whoever was fetched and has no slot by then is given up
DELAYS_S = (0.3, 2.0, 7.0)
BEFORE, WHILE, AFTER, KILLED, FETCHED = "before", "while", "after", "killed", "fetched"

CONFIG = """
app = "tasks:app"
python = "{python}"
[inline]
mode = "{mode}"
memory_limit_mb = 16000

[[consumers]]
name = "standby"
queues = ["high", "normal"]
time_limit = "10m"
sleep = "10m"
autoscale = {{ desired_size = 1, min = {least}, max = 1 }}
"""

TASKS = (
    HEAD
    + """

@app.task
def note(text: str) -> None:
    write("ran", str(time.time()))
"""
)

FIRST_IS_DELAYED = """#!/bin/sh
if [ ! -e trace ]; then exec {traced} '{python}' "$@"; fi
exec '{python}' "$@"
"""


class Point(NamedTuple):
    """A call of a consumer: the `n`-th of its kind on the file of its slot or its seat, or that which ends it.

    `is_in`: whoever looks has to take it for one that works: the slot's lock is held, and no note says that it left.
    """

    name: str
    syscall: str
    n: int
    file: str = "slot"
    edge: str = "enter"
    is_in: bool = True

    @property
    def is_start(self) -> bool:
        return self in STARTS


STARTS = (
    Point("started, has no slot yet", "fcntl", 1, is_in=False),
    Point("has its slot, no seat yet", "fcntl", 1, file="seat"),
    Point("has its slot, has noted nothing", "pwrite64", 1),
    Point("noted that it starts", "pwrite64", 2),
    Point("has reserved nothing yet", "ftruncate", 2, edge="exit"),
    Point("found nothing, is to rest", "pwrite64", 3),
)
ENDS = (
    Point("leaves, has not noted it", "pwrite64", 4),
    Point("noted that it left", "ftruncate", 3, edge="exit", is_in=False),
    Point("gave up its seat", "close", 1, is_in=False),
    Point("gave up its slot", "exit_group", 1, file="", is_in=False),
)
OUTSIDE = (STARTS[0], ENDS[-1])  # the slot is free


class Case(NamedTuple):
    """Where a consumer is delayed and for how long, when the message comes, and who is to run it if nobody is there.

    BEFORE: while the consumer is on its way to the point. KILLED: while it stands there, and then it is killed.
    FETCHED: the message is first, and the delayed consumer is the one that the page view starts.
    """

    point: Point
    delay_s: float
    moment: str
    mode: str

    def due_at(self, viewed_at: float, goes_on_at: float) -> float:
        """Return from when on somebody has to come: the page view, or later when others cannot know or have no room."""
        if self.moment == FETCHED and self.point in OUTSIDE:
            return min(max(viewed_at, goes_on_at), viewed_at + STARTED_AGAIN_S)
        if self.point.is_in or (self.mode == "spawn" and self.point not in OUTSIDE):
            return max(viewed_at, goes_on_at)
        return viewed_at

    @property
    def is_its_own(self) -> bool:
        """Whether nobody else may run the message while the consumer stands there."""
        return self.point.is_in and self.moment in {WHILE, FETCHED}


class Found(NamedTuple):
    """How long after it was due the message ran (less than 0: before), and what was wrong."""

    late_s: float
    faults: tuple[str, ...] = ()


def cases() -> list[Case]:
    """Return all there are."""
    points = (*STARTS, *ENDS)
    found = [Case(*one) for one in product(points, DELAYS_S, (BEFORE, WHILE, AFTER), MODES)]
    found += [Case(point, DELAYS_S[-1], KILLED, mode) for point in points for mode in MODES]
    return found + [Case(point, delay_s, FETCHED, "spawn") for point in STARTS for delay_s in DELAYS_S]


def sample(seed: int) -> Iterator[Case]:
    """Return every point once, and what else differs by chance; no delay is long."""
    drawn = random.Random(seed)
    for point in (*STARTS, *ENDS):
        of_point = [
            one for one in cases() if one.point == point and (one.moment == KILLED or one.delay_s < DELAYS_S[-1])
        ]
        yield drawn.choice(of_point)


def try_out(case: Case, home: Path, silent_s: float = SILENT_S) -> Found:
    """Have a consumer delayed, a message come and pages asked for; tell how it went. Gives up after `silent_s`."""
    is_fetched = case.moment == FETCHED
    python = _first_is_delayed(home, case) if is_fetched else sys.executable
    config = CONFIG.format(mode=case.mode, python=python, least=0 if is_fetched else 1)
    with site(home, config, TASKS) as trial:
        straggler = _Straggler(trial.project, case)
        try:
            viewed_at = _MOMENTS[case.moment](trial, straggler)
            give_up_at = time.time() + case.delay_s + silent_s
            while not (straggler.is_done() and trial.project.read("ran")) and time.time() < give_up_at:
                time.sleep(VIEWS_APART_S)
                trial.view()
            return _judge(trial.project, straggler, viewed_at)
        finally:
            straggler.let_go()


class _Straggler:
    """A consumer that is delayed at a point."""

    def __init__(self, project: Project, case: Case) -> None:
        self.case = case
        self._project = project
        self._strace: subprocess.Popen[bytes] | None = None
        self._killed_at = 0.0

    def start(self) -> None:
        command = self._project.command("consume", "standby", "--config", self._project.config)
        words = [*_traced(self._project.home, self.case), *command]
        self._strace = subprocess.Popen(words, cwd=self._project.home, stderr=subprocess.DEVNULL)

    def lead_there(self) -> None:
        """Start it; where it is an end that is delayed, have it leave when it rests."""
        self.start()
        if not self.case.point.is_start:
            wait_until(self._rests)
            os.kill(self._project.slot().pid or 0, signal.SIGTERM)

    def kill(self) -> None:
        assert self._strace is not None
        pid = int(Path(f"/proc/{self._strace.pid}/task/{self._strace.pid}/children").read_text())
        self._killed_at = time.time()
        os.kill(pid, signal.SIGKILL)  # strace waits until the delay is over before it notices

    def let_go(self) -> None:
        """Have nobody trace it any more."""
        if self._strace is not None:
            self._strace.kill()
            self._strace.wait()

    def stands_at(self) -> float | None:
        """Return when it came to its point."""
        point, trace = self.case.point, self._project.home / "trace"
        lines = trace.read_text().splitlines() if trace.exists() else []
        calls = [line for line in lines if f" {point.syscall}(" in line]
        return float(calls[point.n - 1].split()[0]) if len(calls) >= point.n else None

    def goes_on_at(self) -> float | None:
        """Return when it goes on, or was killed."""
        at = self.stands_at()
        return self._killed_at or (None if at is None else at + self.case.delay_s)

    def is_done(self) -> bool:
        """Tell whether it has gone on, and is at rest or no more there."""
        if time.time() < (self.goes_on_at() or inf):
            return False
        has_ended = self._strace is not None and self._strace.poll() is not None
        return bool(self._killed_at) or has_ended or self._rests()

    def _rests(self) -> bool:
        note = self._project.slot().live_note
        return note is not None and note.state == slots.CONSUMING and note.position > 0 and note.is_idle


def _traced(home: Path, case: Case) -> list[str]:
    point, run = case.point, home / ".cronq" / "run"
    files = {"slot": ["-P", f"{run}/standby.0.pid"], "seat": ["-P", f"{run}/account.0.lock"], "": []}
    delay = f"inject={point.syscall}:delay_{point.edge}={round(case.delay_s * 1000)}ms:when={point.n}"
    strace = shutil.which("strace") or "strace"
    return [strace, "-ttt", "-o", f"{home}/trace", *files[point.file], "-e", f"trace={point.syscall}", "-e", delay]


def _first_is_delayed(home: Path, case: Case) -> Path:
    """Return the interpreter of consumers, the first of which is delayed."""
    path = home / "python"
    traced = " ".join(f"'{word}'" for word in _traced(home, case))
    path.write_text(FIRST_IS_DELAYED.format(traced=traced, python=sys.executable))
    path.chmod(0o700)
    return path


def _before(trial: Trial, straggler: _Straggler) -> float:
    straggler.lead_there()
    return _come(trial)


def _while(trial: Trial, straggler: _Straggler) -> float:
    straggler.lead_there()
    wait_until(straggler.stands_at)
    return _come(trial)


def _after(trial: Trial, straggler: _Straggler) -> float:
    straggler.lead_there()
    wait_until(lambda: time.time() > (straggler.goes_on_at() or inf))
    return _come(trial)


def _killed(trial: Trial, straggler: _Straggler) -> float:
    viewed_at = _while(trial, straggler)
    straggler.kill()
    return viewed_at


def _fetched(trial: Trial, straggler: _Straggler) -> float:
    return _come(trial)


_MOMENTS = {BEFORE: _before, WHILE: _while, AFTER: _after, KILLED: _killed, FETCHED: _fetched}


def _come(trial: Trial) -> float:
    """Put the message into its queue and ask for a page; return when."""
    trial.project.enqueue("note", "next")
    viewed_at = time.time()
    trial.view()
    return viewed_at


def _judge(project: Project, straggler: _Straggler, viewed_at: float) -> Found:
    ran_at = [float(line) for line in project.read("ran")]
    goes_on_at = straggler.goes_on_at()
    if goes_on_at is None:
        return Found(inf, ("the consumer did not come to the point",))
    if not ran_at:
        return Found(inf, ("silent: nobody ran it",))
    faults = []
    if len(ran_at) > 1:
        faults.append(f"run {len(ran_at)} times")
    if straggler.case.is_its_own and min(ran_at) < goes_on_at:
        faults.append("run by another than the consumer that was there")
    if os.path.exists(project.state.ticks):
        faults.append("a tick came")
    return Found(min(ran_at) - straggler.case.due_at(viewed_at, goes_on_at), tuple(faults))


def main(times: int) -> int:
    """Print the table; 1 when a message came late, or worse."""
    print(f"{'the consumer stands still':<33} {'the message comes':<17} {'runs':>4}  {'here':>16}  {'started':>16}")
    is_well = True
    for point, moment in product((*STARTS, *ENDS), _MOMENTS):
        some = [one for one in cases() if (one.point, one.moment) == (point, moment)] * times
        found = [(case.mode, _try_out(case)) for case in some]
        here, started = (_words([one for of, one in found if of == mode]) for mode in MODES)
        if found:
            print(f"{point.name:<33} {moment:<17} {len(found):>4}  {here:>16}  {started:>16}", flush=True)
        is_well = is_well and all(not one.faults and one.late_s <= BOUND_S for _, one in found)
    return int(not is_well)


def _try_out(case: Case) -> Found:
    with tempfile.TemporaryDirectory(dir=Path.home() / ".cache") as directory:
        found = try_out(case, Path(directory))
    if found.faults or found.late_s > BOUND_S:
        print(f"{case}: {found}", file=sys.stderr)
    return found


def _words(found: list[Found]) -> str:
    """Return the median and the longest of the waits."""
    late = [max(0.0, one.late_s) for one in found]
    return f"{median(late):.2f}, {max(late):.2f} s" if late else "-"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))

"""Power cuts: a recorded run, cut between any two calls, everything unsynced kept or dropped.

`python -m tests.reliability.powercut [SECONDS]` tries all points, for at most so long per journal.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cronq.clock import SystemClock
from cronq.config.settings import Settings
from cronq.host.state_dir import StateDir
from cronq.supervisor.replay import lying_in
from cronq.supervisor.tick import Supervisor
from cronq.transports.sqlite import SqliteTransport
from tests.reliability.checker import check
from tests.reliability.disk import Disk, write_image
from tests.reliability.recording import record
from tests.reliability.scenario import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.reliability.disk import Piece
    from tests.reliability.recording import Change

    Keeps = Callable[[int, Piece], bool]

PRODUCE = """
import os, sys, tasks

def returned(labels):
    descriptor = os.open("returned", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(descriptor, "".join(label + "\\n" for label in labels).encode())
    os.close(descriptor)

prefix = sys.argv[1]
tasks.app.transport.counts()
tasks.app.transport._connections.get().execute("PRAGMA wal_autocheckpoint = 12")
is_full = "PRAGMA query_only = %s"
if tasks.app.settings.spool:
    tasks.app.transport._connections.get().execute(is_full % "ON")
    for number in range(4):
        tasks.quick.enqueue(f"{prefix}s{number}")
        returned([f"{prefix}s{number}"])
    many = [f"{prefix}sm{number}" for number in range(10)]
    tasks.quick.enqueue_many([((label,), {}) for label in many])
    returned(many)
    tasks.app.transport._connections.get().execute(is_full % "OFF")
for number in range(6):
    tasks.quick.enqueue(f"{prefix}{number}")
    returned([f"{prefix}{number}"])
many = [f"{prefix}m{number}" for number in range(30)]
tasks.quick.enqueue_many([((label,), {}) for label in many])
returned(many)
tasks.kept.enqueue(f"{prefix}kept")
returned([f"{prefix}kept"])
"""

RUN = """
set -e
"$0" cut.py a
"$0" -m cronq consume work --stop-when-empty & "$0" cut.py b; wait
"$0" cut.py c
"$0" -m cronq tick
"$0" cut.py d
"""

ON_A_NETWORK = """
import cronq.transports.sqlite.connections as connection
connection.type_of = lambda path: "nfs4"
"""


ENOUGH = 100


class Plan(NamedTuple):
    """How thoroughly: the share of all points, the lone pages and the mixtures at each, and until when (monotonic)."""

    share: float
    losses: int
    mixtures: int
    until: float


class Tried(NamedTuple):
    """At how many points a run was cut, how many images of each kind were opened, and what was wrong with them."""

    points: Counter[str]
    images: Counter[str]
    faults: list[str]

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.images.items())
        points = ", ".join(f"{count} {word}" for word, count in self.points.items())
        return f"points {points}; {sum(self.images.values())} images ({kinds}); {len(self.faults)} faults"


class Cut(NamedTuple):
    """A disk at one point of the run, and what programs had been told by then."""

    number: int
    disk: Disk
    returned: frozenset[str]
    ended: frozenset[str]


def make_run(
    home: Path, is_on_network: bool = False, durability: str = "full", has_spool: bool = False
) -> tuple[str, list[Change]]:
    """Run producers, consumers and a tick in a new project below `home`; return its root and what they did to it.

    With a spool, some of what is enqueued meets a store that cannot be written.
    """
    home.mkdir(mode=0o700, exist_ok=True)
    project = Project.make(home / "project")
    project.env["CRONQ_DURABILITY"] = durability
    if has_spool:
        project.env |= {"CRONQ_SPOOL": "true", "CRONQ_SPOOL_MB": "1"}
    (project.home / "cut.py").write_text(PRODUCE)
    if is_on_network:
        (project.home / "sitecustomize.py").write_text(ON_A_NETWORK)
        project.env["PYTHONPATH"] = str(project.home)
    try:
        command = ["/bin/sh", "-c", RUN, sys.executable]
        return str(project.home), record(command, project.home, project.env, home / "trace")
    finally:
        project.end()
        project.kill_all()


def cuts(root: str, changes: list[Change]) -> Iterator[Cut]:
    """Return the run before each of its changes."""
    disk = Disk(root)
    returned: set[str] = set()
    ended: set[str] = set()
    for number, change in enumerate(changes):
        yield Cut(number, disk, frozenset(returned), frozenset(ended))
        disk.apply(change)
        if change.verb == "write" and change.path == f"{root}/returned":
            returned.update(change.data.decode().split())
        if change.verb == "write" and change.path == f"{root}/ran":
            ended.update(line.split()[1] for line in change.data.decode().splitlines() if line.startswith("end "))
    yield Cut(len(changes), disk, frozenset(returned), frozenset(ended))


def images_of(cut: Cut, drawn: random.Random, losses: int, mixtures: int) -> Iterator[tuple[str, Keeps]]:
    """Return ways in which a cut treats what is not synced: all, nothing, all but one page, one page, any mixture."""
    yield "all kept", lambda number, piece: True
    if not cut.disk.pending:
        return
    yield "all dropped", lambda number, piece: False
    pages = sorted({piece.page for piece in cut.disk.pending}, key=str)
    for page in drawn.sample(pages, min(losses, len(pages))):
        yield "one page dropped", _keeping_pages({*pages} - {page})
        yield "one page kept", _keeping_pages({page})
    for _ in range(mixtures):
        kept_pages = {page for page in pages if drawn.random() < 0.5}
        yield "mixed pages", _keeping_pages(kept_pages)
        kept = {number for number in range(len(cut.disk.pending)) if drawn.random() < 0.5}
        yield "mixed sectors", _keeping(kept)


def _keeping_pages(pages: set[tuple[object, ...]]) -> Keeps:
    return lambda number, piece: piece.page in pages


def _keeping(numbers: set[int]) -> Keeps:
    return lambda number, piece: number in numbers


def try_all(run: tuple[str, list[Change]], base: Path, plan: Plan, seed: int) -> Tried:
    """Cut a run at a share of its points, or at all; stop early, and say so, when the time is over.

    Not before there are `ENOUGH` images of the kind that comes last at each cut, however long they take.
    """
    drawn = random.Random(seed)
    tried = Tried(Counter(), Counter(), [])
    for cut in cuts(*run):
        if drawn.random() >= plan.share:
            continue
        is_over = time.monotonic() >= plan.until and tried.images["mixed sectors"] > ENOUGH
        tried.points["left out" if is_over else "tried"] += 1
        if is_over:
            continue
        for kind, keeps in images_of(cut, drawn, plan.losses, plan.mixtures):
            tried.images[kind] += 1
            if fault := open_image(cut, keeps, base):
                tried.faults.append(f"cut {cut.number}, {kind}: {fault}")
    return tried


def go_on(run: tuple[str, list[Change]], base: Path, times: int, seed: int) -> list[str]:
    """Let cron tick and consumers run on what some cuts left behind; return what was lost or went wrong."""
    drawn = random.Random(seed)
    chosen = set(drawn.sample(range(len(run[1])), times))
    faults = []
    for cut in cuts(*run):
        if cut.number in chosen:
            kept = {number for number in range(len(cut.disk.pending)) if drawn.random() < 0.5}
            faults += _go_on_with(cut, _keeping(kept), base / f"on-{cut.number}")
    return faults


def _go_on_with(cut: Cut, keeps: Keeps, home: Path) -> list[str]:
    project = Project.make(home)
    write_image(cut.disk.image(keeps), cut.disk.root, home)
    (home / "returned").write_text("".join(f"{label}\n" for label in cut.returned - cut.ended))
    (home / "ran").unlink(missing_ok=True)
    try:
        project.get_over_it()
        verdict = check(home)
        return [f"cut {cut.number}: {fault}" for fault in verdict.faults(kills=1000)]
    except AssertionError as error:
        return [f"cut {cut.number}: {error}"]
    finally:
        project.kill_all()


def open_image(cut: Cut, keeps: Keeps, base: Path) -> str | None:
    """Open what a cut left behind as cronq does; say what is wrong."""
    target = Path(tempfile.mkdtemp(prefix="cut-", dir=base))
    try:
        write_image(cut.disk.image(keeps), cut.disk.root, target)
        return judge(target, cut)
    finally:
        shutil.rmtree(target)


def judge(target: Path, cut: Cut) -> str | None:
    """Say what is missing or broken: a message is there from the moment its enqueue returned until it has ended."""
    path = target / ".cronq" / "queue.db"
    expected = cut.returned - cut.ended
    if not path.exists():
        return f"no database, and {sorted(expected)[:3]} were enqueued" if cut.returned else None
    try:
        transport = SqliteTransport(str(path))
        transport.held()
        with closing(sqlite3.connect(path)) as connection:
            answer = connection.execute("PRAGMA integrity_check").fetchall()
            bodies = [row[0] for row in connection.execute("SELECT body FROM messages")]
        bodies += [message.body for message in lying_in(_place_of(target, transport))]
        transport.close()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    if answer != [("ok",)]:
        return f"integrity_check: {answer}"
    there = {body.split(b'"')[3].decode() for body in bodies}
    return f"lost: {sorted(expected - there)[:5]}" if expected - there else None


def _place_of(target: Path, transport: SqliteTransport) -> Supervisor:
    settings = Settings(None, str(target), str(target / ".cronq"), spool=True)
    return Supervisor(settings, StateDir(settings.state_dir), transport, SystemClock(), lambda command: False, {})


def main(seconds: float, seed: int) -> int:
    """Try both journals at all points, for at most so long each."""
    base = Path(tempfile.mkdtemp(prefix="cronq-cut-", dir=Path.home()))
    faults = []
    for journal, is_on_network, has_spool in (("WAL", False, False), ("TRUNCATE", True, False), ("spool", False, True)):
        run = make_run(base / journal, is_on_network, has_spool=has_spool)
        tried = try_all(run, images_place(base), Plan(1.0, 1000, 10, time.monotonic() + seconds), seed)
        print(f"{journal}: {tried}", flush=True)
        faults += tried.faults + go_on(run, base / journal, 40, seed)
    print(*faults[:20], f"seed {seed}", sep="\n")
    shutil.rmtree(base)
    return int(bool(faults))


def images_place(base: Path) -> Path:
    """Return where images are laid out: in memory where that can be had."""
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else base


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 1200.0, random.randrange(1_000_000)))

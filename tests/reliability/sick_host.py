"""A shared host at its worst: a small disk of one user who may do nothing, and what happens to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import struct
import subprocess
import sys
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.reliability.evidence import Diary

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from tests.reliability.chaos import Chaos
    from tests.reliability.ledger import Ledger

DISK_MB = 64
CLOCK = Path(__file__).with_name("clock.c")


class Host:
    """The user's disk, mounted for us alone, and processes started on it as that user."""

    def __init__(self, base: Path, ledger: Ledger) -> None:
        self.diary = Diary(base / "diary")
        self.home = base / "home"
        self.state = self.home / ".cronq"
        self.cron_mail = base / "cron-mail"
        self.nproc: int | None = None
        self.memory_mb: int | None = None
        self._ledger = ledger
        self._user = 50_000 + os.getpid() % 10_000
        self._clock = base / "clock"
        self.set_clock(0)
        self._shim = base / "clock.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(self._shim), str(CLOCK)], check=True)
        self.home.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700,uid={self._user},gid={self._user}", "chaos")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CRONQ_")},
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.home),
            "LEDGER": str(ledger.path),
            "CLOCK_MOVED_BY": str(self._clock),
        }

    def write(self, name: str, text: str) -> None:
        """Put a file of the project in place at once, as a deploy does."""
        new = self.home / f"{name}.tmp"
        new.write_text(text)
        os.chown(new, self._user, self._user)
        new.replace(self.home / name)

    def start(self, *words: str, output: Path) -> subprocess.Popen[bytes]:
        """Start a Python of the user; it may read all files, for this machine's Python may be root's, and no more."""
        caps = "-all,+dac_read_search"
        # Without the fixup access(2) counts that permission, too; the exec drops all others.
        user = (
            "--securebits=+no_setuid_fixup",
            f"--reuid={self._user}",
            f"--regid={self._user}",
            "--clear-groups",
            f"--inh-caps={caps}",
        )
        limits = [f"--nproc={self.nproc}"] if self.nproc is not None else []
        limits += [f"--as={self.memory_mb * 1024 * 1024}"] if self.memory_mb is not None else []
        limited = ("prlimit", *limits) if limits else ()
        command = ("setpriv", *user, f"--ambient-caps={caps}", *limited, "env", f"LD_PRELOAD={self._shim}")
        command = (*command, sys.executable, *words)
        with output.open("ab") as file:
            started = subprocess.Popen(command, cwd=self.home, env=self.env, stdin=subprocess.DEVNULL, stderr=file)
        self.diary.note("started", started.pid, *words)
        return started

    def set_clock(self, moved_by_s: float) -> None:
        """Set the wall clock of all processes of the user, of those that run as well. They map this very file."""
        with os.fdopen(os.open(self._clock, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
            file.write(struct.pack("=d", moved_by_s))

    def pids(self) -> list[int]:
        """The processes of the user: nobody else on this machine has that number."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdecimal():
                with suppress(OSError), open(f"/proc/{entry}/status") as file:
                    text = file.read()
                    if f"\nUid:\t{self._user}\t" in text and "\nState:\tZ" not in text:
                        found.append(int(entry))
        return found

    def kill_one(self, drawn: random.Random) -> int:
        pids = self.pids()
        if pids:
            self._kill(drawn.choice(pids))
        return len(pids) > 0

    def kill_all(self) -> int:
        killed: set[int] = set()
        while pids := self.pids():
            for pid in set(pids) - killed:
                self._kill(pid)
                killed.add(pid)
        return len(killed)

    def fill(self) -> None:
        """Write until nothing more fits, as the user's own uploads would."""
        with suppress(OSError), open(self.home / "filler", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)

    def empty(self) -> None:
        (self.home / "filler").unlink(missing_ok=True)

    def remount(self, how: str) -> None:
        self._mount("-o", f"remount,{how}", "chaos")

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.home)], check=True)

    def unsettled(self) -> dict[str, int]:
        """Return how many messages wait or have failed, by state."""
        path = self.state / "queue.db"
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=120)) as connection:
            rows = connection.execute("SELECT state, count(*) FROM messages WHERE state <> 'done' GROUP BY 1")
            return dict(rows.fetchall())

    def complaints(self) -> Iterator[str]:
        return complaints(self.state, self.cron_mail)

    def _kill(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            self._ledger.note_kill(pid)
            self.diary.note("killed", pid)

    def _mount(self, *words: str) -> None:
        subprocess.run(["mount", *words, str(self.home)], check=True)


def complaints(state: Path, cron_mail: Path) -> Iterator[str]:
    """Say what is wrong in what is left: the database, the modes, tracebacks that nobody should have seen."""
    with closing(sqlite3.connect(state / "queue.db")) as connection:
        if (answer := connection.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
            yield f"integrity_check: {answer}"
    for path in state.rglob("*"):
        if path.lstat().st_mode & 0o077:
            yield f"{path} is open to others"
    texts = [path.read_text(errors="replace") for path in (cron_mail, *(state / "log").glob("output*"))]
    for ending, count in Counter(_endings("\n".join(texts))).items():
        yield f"{count} tracebacks: {ending}"


def _endings(text: str) -> Iterator[str]:
    """Return the last line of each traceback that is not the host's doing."""
    inside = False
    for line in text.splitlines():
        if line.startswith("Traceback "):
            inside = True
        elif inside and line and not line[0].isspace():
            inside = False
            if not any(word in line for word in ("MemoryError", "Errno 12", "Errno 11", "Errno 28", "Errno 30")):
                yield line


class Fault(NamedTuple):
    """Something that goes wrong for some seconds."""

    name: str
    begin: Callable[[Chaos], object]
    end: Callable[[Chaos], object] = lambda chaos: None


def _no_more_processes(chaos: Chaos) -> None:
    chaos.host.nproc = max(1, len(chaos.host.pids()))


def _read_only(chaos: Chaos) -> None:
    """A file system with errors becomes read-only; whoever has files open there for writing is killed first here."""
    for _ in range(50):
        chaos.said["all killed"] += chaos.host.kill_all()
        with suppress(subprocess.CalledProcessError):
            chaos.host.remount("ro")
            return


def _restart_host(chaos: Chaos) -> None:
    chaos.said["all killed"] += chaos.host.kill_all()


def _set(**values: int | None) -> Callable[[Chaos], object]:
    def begin(chaos: Chaos) -> None:
        for name, value in values.items():
            setattr(chaos.host, name, value)

    return begin


FAULTS = (
    Fault("disk full", lambda chaos: chaos.host.fill(), lambda chaos: chaos.host.empty()),
    Fault("clock an hour ahead", lambda chaos: chaos.host.set_clock(3600), lambda chaos: chaos.host.set_clock(0)),
    Fault("clock an hour back", lambda chaos: chaos.host.set_clock(-3600), lambda chaos: chaos.host.set_clock(0)),
    Fault("no more processes", _no_more_processes, _set(nproc=None)),
    Fault("little memory", _set(memory_mb=90), _set(memory_mb=None)),
    Fault("hardly any memory", _set(memory_mb=45), _set(memory_mb=None)),
    Fault("read-only", _read_only, lambda chaos: chaos.host.remount("rw")),
    Fault("all killed at once", _restart_host),
    Fault("task removed", lambda chaos: chaos.deploy(is_whole=False), lambda chaos: chaos.deploy(is_whole=True)),
)

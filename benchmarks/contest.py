"""One contestant at work: its directory, its client, its workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.contestants import EVERYBODY
from benchmarks.places import REPOSITORY, python_of, work_directory
from benchmarks.project import plain_environment
from benchmarks.servers import POSTGRESQL
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from benchmarks.contestants import Contestant
    from benchmarks.servers import Servers

ADAPTERS = REPOSITORY / "benchmarks" / "adapters"


class ContestError(Exception):
    """A contestant did not do what it was told; the text is the end of what it said."""


class Mark(NamedTuple):
    """When a mark began and ended (monotonic seconds), and the worker's CPU seconds until then."""

    began: float
    cpu_s: float
    ended: float


class Contest:
    """A contestant with an empty queue in a directory of its own."""

    def __init__(self, contestant: Contestant, directory: Path, environment: Mapping[str, str]) -> None:
        self.contestant = contestant
        self.directory = directory
        venv, packages = contestant.venv, contestant.packages
        self._python = python_of(venv, packages) if venv else sys.executable
        self._env = {**environment, "BENCH_DIR": str(directory), "BENCH_VARIANT": contestant.variant}
        self.versions: dict[str, str] = self.do("prepare")["versions"]

    def do(self, command: str, *numbers: int) -> dict[str, Any]:
        """Run a command of `adapters/drive.py` and return its answer."""
        done = subprocess.run(self._argv(command, *numbers), check=False, capture_output=True, text=True, **self._how())
        if done.returncode:
            said = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise ContestError(f"{self.contestant.name}, {command}: {said}")
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def start(self, command: str, *numbers: int, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own, its output into the file `log`."""
        with (self.directory / "log").open("ab") as log:
            how = self._how()
            how["env"] = {**how["env"], **(env or {})}
            return subprocess.Popen(
                self._argv(command, *numbers), stdout=log, stderr=log, start_new_session=True, **how
            )

    @contextmanager
    def worker(self, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run one worker; kill it and all its children at the end."""
        process = self.start("worker", env=env)
        try:
            yield process
        finally:
            kill(process)

    def lines(self, name: str) -> list[str]:
        """Return the lines of a file that messages write."""
        try:
            return (self.directory / name).read_text().splitlines()
        except FileNotFoundError:
            return []

    def marks(self) -> list[Mark]:
        return [Mark(*map(float, line.split())) for line in self.lines("marks")]

    def wait_for_marks(self, count: int, timeout_s: float = 120.0) -> list[Mark]:
        """Return the marks once so many have run. Raises ContestError with the end of the worker's log."""
        try:
            wait_until(lambda: len(self.lines("marks")) >= count, timeout_s, every_s=0.02)
        except TimeoutError:
            log = (self.directory / "log").read_text(errors="replace").splitlines()[-5:]
            said = "\n".join(log)
            raise ContestError(f"{self.contestant.name}: no message ran in {timeout_s} s: {said}") from None
        return self.marks()

    def _argv(self, command: str, *numbers: int) -> list[str]:
        return [self._python, "drive.py", self.contestant.adapter, command, *map(str, numbers)]

    def _how(self) -> dict[str, Any]:
        return {"cwd": ADAPTERS, "env": self._env, "stdin": subprocess.DEVNULL}


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a session that `start` began: whatever processes belong to it."""
    for pid in pids_of(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def pids_of(session: int) -> list[int]:
    """Return the processes of a session."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _session(int(name)) == session]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1


class Arena(NamedTuple):
    """What contests are held in: the servers, and settings of the environment that hold for all."""

    servers: Servers
    extra: Mapping[str, str] = {}

    def why_not(self, contestant: Contestant) -> str | None:
        """Say why a contestant cannot take part here; None when it can."""
        return self.servers.missing.get(contestant.server)

    @contextmanager
    def contest(self, contestant: Contestant, **env: str) -> Iterator[Contest]:
        """Give a contestant an empty queue."""
        with work_directory() as directory:
            yield Contest(contestant, directory, {**self._environment(contestant), **env})

    def _environment(self, contestant: Contestant) -> dict[str, str]:
        number = EVERYBODY.index(contestant) if contestant in EVERYBODY else 0
        redis = f"redis://127.0.0.1:{self.servers.redis_port}/{number % 16}"
        path = f"{ADAPTERS}:{REPOSITORY}" if not contestant.venv else str(ADAPTERS)
        return {
            **plain_environment(),
            "BENCH_REDIS": redis,
            "BENCH_POSTGRESQL": POSTGRESQL,
            "PYTHONPATH": path,
            **self.extra,
        }

"""A shared host in small: an unprivileged account, Debian's cron, and what the customer installs there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

USER = "cronqshop"
ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("cron", "crontab", "flock", "useradd", "userdel")
PYTHONS = (os.path.realpath(sys.executable), "/usr/local/bin/python3", "/usr/bin/python3")
NEWEST_ENOUGH = "import sys, venv; sys.exit(sys.version_info < (3, 11))"


def what_is_missing() -> str | None:
    """Say in one line why this machine cannot play a shared host; None when it can."""
    if os.geteuid() != 0:
        return "needs root: an unprivileged user is made, and cron is run"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"needs {', '.join(absent)}: apt-get install cron util-linux passwd"
    running = [process.pid for process in psutil.process_iter(["name"]) if process.info["name"] in {"cron", "crond"}]
    if running:
        return f"a cron runs already (pid {running[0]}) and would tick twice: stop it first"
    return None


class Account:
    """A customer of the host: no rights, a home, and nothing in the environment."""

    def __init__(self, name: str) -> None:
        entry = pwd.getpwnam(name)
        self.name = name
        self.uid = entry.pw_uid
        self.home = Path(entry.pw_dir)
        environment = {"HOME": entry.pw_dir, "LOGNAME": name, "PATH": "/usr/bin:/bin"}
        self._as_user: dict[str, Any] = {
            "user": entry.pw_uid,
            "group": entry.pw_gid,
            "extra_groups": [],
            "umask": 0o022,
            "env": environment,
            "stdin": subprocess.DEVNULL,
        }

    def run(self, *command: str | Path, text: str | None = None) -> int:
        """Run a command as the user and return its exit code."""
        how = self._as_user if text is None else {**self._as_user, "stdin": None, "input": text.encode()}
        return subprocess.run(command, cwd=self.home, check=False, capture_output=True, **how).returncode

    @contextmanager
    def running(
        self, *command: str | Path, cwd: Path, log: Path, variables: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command as the user until the end of the block."""
        how = {**self._as_user, "env": {**self._as_user["env"], **variables}}
        with log.open("ab") as output:
            process = subprocess.Popen(command, cwd=cwd, stdout=output, stderr=output, pass_fds=pass_fds, **how)
        with ended(process):
            yield process

    def processes(self) -> list[psutil.Process]:
        found = psutil.process_iter(["uids", "cmdline"])
        return [process for process in found if process.info["uids"].real == self.uid]

    def give(self, path: Path) -> None:
        """Make everything at `path` the user's own."""
        for one in (path, *path.rglob("*")):
            shutil.chown(one, self.name, self.name) if not one.is_symlink() else None


@contextmanager
def account(name: str = USER) -> Iterator[Account]:
    """Make the user, and remove it with all it has and runs."""
    _remove(name)
    _run("useradd", "--create-home", "--shell", "/bin/sh", name)
    try:
        yield Account(name)
    finally:
        _remove(name)


def _remove(name: str) -> None:
    try:
        user = Account(name)
    except KeyError:
        return
    subprocess.run(["crontab", "-r", "-u", name], check=False, capture_output=True)

    def is_quiet() -> bool:
        left = user.processes()
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return not left

    wait_until(is_quiet)
    _run("userdel", "--remove", name)


class Cron:
    """Debian's cron as a child of the test."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["cron", "-f"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        stop(self._process)


@contextmanager
def cron() -> Iterator[Cron]:
    daemon = Cron()
    try:
        yield daemon
    finally:
        daemon.stop()


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def make_venv(user: Account, *packages: str) -> Path:
    """Install cronq, built as a wheel, and `packages` into a new virtual environment; return its bin directory."""
    pip = [sys.executable, "-m", "pip", "--quiet"]
    wheels, venv = user.home / "wheels", user.home / "venv"
    _run(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, ROOT)
    _run(_python_for(user), "-m", "venv", "--without-pip", venv)
    _run(*pip, "--python", venv / "bin" / "python", "install", *wheels.glob("*.whl"), *packages)
    user.give(venv)
    return venv / "bin"


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, umask=0o022)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


def _python_for(user: Account) -> str:
    for python in PYTHONS:
        if user.run("/usr/bin/env", python, "-c", NEWEST_ENOUGH) == 0:
            return python
    raise AssertionError(f"no Python 3.11 or newer that other users may run among {', '.join(PYTHONS)}")


def sleep_until(wall: float) -> None:
    """Wait for a point in time that is part of the claim, such as the end of a minute."""
    wait_until(lambda: time.time() >= wall, max(0.0, wall - time.time()) + 60)

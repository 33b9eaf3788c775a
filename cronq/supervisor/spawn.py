"""Starting consumers so that nothing of the starter stays with them."""

from __future__ import annotations

import os
import sys

from cronq.errors import ConfigError
from cronq.host.process import PRESSURE
from cronq.host.state_dir import open_private
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from cronq.config.settings import Settings
    from cronq.host.state_dir import StateDir
else:
    Protocol = object  # the tick does without typing

LAST_STOP = "_CRONQ_LAST_STOP"
"""The variable that tells a consumer which `cronq stop` was the last when it was started."""

_SINGLE_THREADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Command(NamedTuple):
    """What to run and how: complete, so that starting it needs to know nothing else."""

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    output: str


class Starter(Protocol):
    """Starts a command as a process of its own. False: the host has no room for it now."""

    def __call__(self, command: Command) -> bool: ...


def consume_command(settings: Settings, state: StateDir, targets: Sequence[str], environ: Mapping[str, str]) -> Command:
    """Return the command of one or more consumers. Each target is a group, or a slot that is to be taken over.

    Other users of the host can see an argv, so there is nothing in it but `cronq consume <group>`.
    """
    env = {**dict.fromkeys(_SINGLE_THREADED, "1"), LAST_STOP: state.last_stop(), **environ}
    if settings.path:
        env["CRONQ_CONFIG"] = settings.path
    argv = (python_of(settings), "-m", "cronq", "consume", *targets)
    return Command(argv, settings.base_dir, env, state.output)


def python_of(settings: Settings) -> str:
    """Return the interpreter that starts consumers: the configured one, else the one that runs now.

    Web servers may have their own program as `sys.executable` (uWSGI), and CloudLinux runs `python3.11_bin` behind
    a shell script `python` that sets the panel's variables: then the script beside it is taken.
    """
    if settings.python:
        return settings.python
    executable = sys.executable
    if executable.endswith("_bin"):
        return os.path.join(os.path.dirname(executable), "python")
    if "python" not in os.path.basename(executable):
        return os.path.join(sys.exec_prefix, "bin", "python")
    return executable


class Detached:
    """Starts processes that the starter leaves behind, for a starter that exits soon: they become init's children."""

    def __call__(self, command: Command) -> bool:
        child = _popen(command.argv, command)
        if child is None:
            return False
        child.returncode = 0  # nobody here will wait for it: init adopts it when the starter ends
        return True


class TwiceDetached:
    """The same for a starter that lives on (a web server, a consumer), which would keep a zombie of each child.

    A shell puts the command into the background and ends; 1 ms, and safe where a fork of the starter is not.
    """

    def __call__(self, command: Command) -> bool:
        shell = _popen(("/bin/sh", "-c", '"$@" &', "sh", *command.argv), command)
        return shell is not None and shell.wait() == 0


class Attached:
    """Starts processes and can wait until all have ended: `tick --wait`."""

    def __init__(self) -> None:
        self._children: list[subprocess.Popen[bytes]] = []

    def __call__(self, command: Command) -> bool:
        child = _popen(command.argv, command)
        if child is not None:
            self._children.append(child)
        return child is not None

    def wait(self) -> None:
        for child in self._children:
            child.wait()


def _popen(argv: Sequence[str], command: Command) -> subprocess.Popen[bytes] | None:
    """Start `argv` in a new session, with its three streams redirected and every other descriptor closed.

    A `flock -n` or `setlock` wrapper of cron is free the moment the tick ends, and cron waits for no pipe.
    """
    import subprocess

    if not os.access(command.argv[0], os.X_OK):
        raise ConfigError(
            f"{command.argv[0]}: is no program that can be run: set `python` in cronq.toml to the absolute path of "
            f"the interpreter that has your project installed"
        )
    try:
        output = open_private(command.output, os.O_WRONLY | os.O_APPEND)
        try:
            child = subprocess.Popen(
                argv,
                cwd=command.cwd,
                env=command.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                close_fds=True,
                start_new_session=True,
            )
        finally:
            os.close(output)
    except MemoryError:
        return None
    except OSError as error:
        if error.errno in PRESSURE:
            return None
        raise
    return child

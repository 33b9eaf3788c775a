"""`cronq` as a process of its own, forked from the test's: as real as one that is started, without the interpreter's
start, which is most of what a command takes.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import traceback
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from cronq.cli import entry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HANGS_AFTER_S = 300


class Ended(NamedTuple):
    """A command that has ended: what it printed, to stdout and stderr in one, byte for byte."""

    code: int
    printed: bytes

    @property
    def text(self) -> str:
        return self.printed.decode(errors="backslashreplace")


class Forked:
    """One command that goes on. On a terminal it prints colours, as for a person; otherwise its output is a file."""

    def __init__(self, words: tuple[str, ...], home: Path, environ: Mapping[str, str], on_terminal: bool) -> None:
        self._file = home / f"printed.{os.getpid()}.{id(self)}"
        self._terminal: int | None = None
        if on_terminal:
            self._terminal, stream = _terminal()
        else:
            stream = os.open(self._file, os.O_RDWR | os.O_CREAT)
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _be_cronq(words, home, environ, stream)
        self._code: int | None = None
        if on_terminal:
            os.close(stream)

    def has_ended(self) -> bool:
        if self._code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if found else None
        return self._code is not None

    def ended(self) -> Ended:
        """Wait for the end, and return what was printed. One that hangs is killed, and its test fails."""
        printed = b"" if self._terminal is None else _read(self._terminal)
        last, pause_s = time.monotonic() + HANGS_AFTER_S, 0.0002
        while not self.has_ended():
            if time.monotonic() > last:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(pause_s)
            pause_s = min(1.2 * pause_s, 0.01)
        assert self._code is not None
        if self._terminal is None:
            printed = self._file.read_bytes()
            self._file.unlink()
        return Ended(self._code, printed)


def start(*words: str, home: Path, environ: Mapping[str, str] | None = None, on_terminal: bool = False) -> Forked:
    """Start a command in `home`."""
    return Forked(words, home, {**os.environ, **(environ or {})}, on_terminal)


def run(*words: str, home: Path, environ: Mapping[str, str] | None = None, on_terminal: bool = False) -> Ended:
    """Run a command in `home` to its end."""
    return start(*words, home=home, environ=environ, on_terminal=on_terminal).ended()


def _terminal() -> tuple[int, int]:
    ours, theirs = os.openpty()
    settings = termios.tcgetattr(theirs)
    settings[1] &= ~termios.OPOST  # so that a line end is what was printed
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    return ours, theirs


def _read(terminal: int) -> bytes:
    parts = []
    try:
        while select.select([terminal], [], [], HANGS_AFTER_S)[0] and (part := os.read(terminal, 65536)):
            parts.append(part)
    except OSError:  # EIO: nobody has the other end open any more
        pass
    os.close(terminal)
    return b"".join(parts)


def _be_cronq(words: tuple[str, ...], home: Path, environ: Mapping[str, str], stream: int) -> NoReturn:
    code = 70
    try:
        os.setsid()
        os.chdir(home)
        os.environ.clear()
        os.environ.update(environ)
        for descriptor, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, stream), (2, stream)):
            os.dup2(source, descriptor)
        os.closerange(3, 256)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
        sys.argv[1:] = words
        sys.modules.pop("tasks", None)  # of another project
        code = entry.run(list(words))
        sys.stdout.flush()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)

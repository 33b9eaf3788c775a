"""A real queue for a test: SQLite in a directory of the test's own, worked on by a real consumer."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from cronq.host.state_dir import read_text
from cronq.messages.outbox import shelved
from cronq.transports.schemes import make_transport

if TYPE_CHECKING:
    from typing import Self

    from cronq.transports.base import Transport
    from cronq.transports.installation import Installation

TRANSPORT = "sqlite:///queue.db"
_LAST_LINES = 20


class RealQueue:
    """`with RealQueue(app.installation, directory) as queue:` what is enqueued goes into a file in the directory.

    All else is as configured: the state directory and the transport are other ones for a while, here and for the
    consumers that `drain` starts. Raises StateDirError for a directory that others could replace.
    """

    def __init__(self, installation: Installation, directory: str) -> None:
        self.directory = directory
        self._installation = installation
        self._before = ExitStack()

    def __enter__(self) -> Self:
        settings = self._installation.settings._replace(state_dir=self.directory, transport=TRANSPORT)
        clock = self._installation.clock
        self._transport: Transport = make_transport(settings, clock)
        self._before.enter_context(self._installation.elsewhere(settings, clock, self._transport))
        self._before.callback(self._transport.close)
        self._before.enter_context(shelved())
        try:
            self._installation.state.prepare()
        except BaseException:
            self._before.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._before.close()

    def drain(self, *, raises: bool = True, timeout_s: float = 60.0) -> str:
        """Run what is ready, and what that enqueues, in a process of its own (`cronq drain`); return what it printed.

        That process imports the project anew. Raises AssertionError with the last lines of its log when an attempt
        failed, unless `raises` is False, and when it could not begin; subprocess.TimeoutExpired after `timeout_s`.
        """
        done = subprocess.run(
            [sys.executable, "-m", "cronq", "drain", *self._config()],
            cwd=self._installation.settings.base_dir,
            env={**os.environ, **self._environ()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if done.returncode > 1 or (done.returncode and raises):
            log = (read_text(self._installation.state.log) or "").splitlines()[-_LAST_LINES:]
            raise AssertionError("\n".join([f"cronq drain ended with {done.returncode}: {done.stdout.strip()}", *log]))
        return done.stdout

    def _config(self) -> list[str]:
        path = self._installation.settings.path
        return ["--config", path] if path else []

    def _environ(self) -> dict[str, str]:
        """Return what has another process use the same queue, and import what this one can."""
        path = os.pathsep.join(one for one in sys.path if one)
        return {"CRONQ_STATE_DIR": self.directory, "CRONQ_TRANSPORT": TRANSPORT, "PYTHONPATH": path}

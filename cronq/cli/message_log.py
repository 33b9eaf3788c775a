"""What the event log tells of one message, in the file that is written and in the one before."""

from __future__ import annotations

import os
from collections import deque
from contextlib import ExitStack, suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from cronq.host.state_dir import StateDir

MOST = 500  # lines: of a message that is tried without end, the last ones


def log_of(state: StateDir, message_id: str) -> list[str]:
    """Return the lines that name a message, the oldest first. None of them needs to be there: success leaves none."""
    wanted, found = message_id.encode(), deque[bytes](maxlen=MOST)
    with ExitStack() as opened:
        for file in reversed(_files(state.log, opened)):
            found.extend(line for line in file if wanted in line)
    return [line.decode(errors="replace").rstrip("\n") for line in found]


def _files(path: str, opened: ExitStack) -> list[IO[bytes]]:
    """Return the log and the rotated one, each once: the log may become the rotated one between the two openings."""
    files: list[IO[bytes]] = []
    for name in (path, f"{path}.1"):
        with suppress(FileNotFoundError):
            files.append(opened.enter_context(open(name, "rb")))  # noqa: SIM115 - the stack closes it
    return list({os.fstat(file.fileno())[1:3]: file for file in files}.values())

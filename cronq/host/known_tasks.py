"""The names of the tasks that consumers know, as the last one that started has noted them.

Whoever enqueues a task that they do not have can say so at once, instead of a person finding it in the failure queue.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cronq.host.state_dir import read_text, replace_text

if TYPE_CHECKING:
    from collections.abc import Iterable


def note(path: str, tasks: Iterable[str]) -> None:
    """Write the names down, or that they are still the same. Raises OSError."""
    text = "".join(f"{name}\n" for name in sorted(tasks))
    if read_text(path) == text:
        os.utime(path)
    else:
        replace_text(path, text)


def noted_at(path: str) -> float | None:
    """Return when a consumer noted its tasks last, None when none ever did."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def lacks(path: str, task: str, source: str) -> bool:
    """Tell whether a consumer that started after the file `source` was changed last does not know a task."""
    try:
        noted_at, written = os.stat(path).st_mtime, os.stat(source)
    except OSError:  # no consumer has noted anything, or the code has no file
        return False
    if noted_at <= max(written.st_mtime, written.st_ctime):
        return False
    return task not in (read_text(path) or task).splitlines()

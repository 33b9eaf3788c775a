"""The end of a child that a task has forked and that comes back into the runner: only its parent says how all ended."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from cronq.escape import escaped_lines


def leave_at_once(error: BaseException | None) -> NoReturn:
    """End this process as Python ends at the end of a program, but close nothing, which is all the parent's.

    No `atexit`, no `finally` of the runner: a reset, an ack, a slot that is let go would be the parent's, too.
    """
    code = 0
    try:
        code = _exit_code(error)
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):  # closed, or none
                continue
        os._exit(code)


def _exit_code(error: BaseException | None) -> int:
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return (error.code or 0) & 0xFF
        print(error.code, file=sys.stderr)  # noqa: T201 - as Python itself does
        return 1
    import traceback

    sys.stderr.write(escaped_lines("".join(traceback.format_exception(error))))
    return 1

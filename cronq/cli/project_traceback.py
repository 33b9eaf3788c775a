"""Where a task failed, from the project's point of view."""

from __future__ import annotations

import contextlib
import os
import traceback
from typing import TYPE_CHECKING

import cronq

if TYPE_CHECKING:
    from types import TracebackType

_OURS = os.path.dirname(cronq.__file__)
_STANDARD = os.path.dirname(contextlib.__file__)
_CARRIERS = (f"{_OURS}{os.sep}", contextlib.__file__, f"{_STANDARD}{os.sep}asyncio{os.sep}")
"""Files of those who call the project's code here: cronq, and what it enters arounds and runs coroutines with."""


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an exception without the frames that led to the project's code."""
    frames = _from_project(error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, frames)).rstrip("\n")


def _from_project(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_CARRIERS):
        frames = frames.tb_next
    return frames

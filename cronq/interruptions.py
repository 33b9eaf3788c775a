"""Telling what ends a process, or a greenlet, from what a task raises: both may be no Exception.

A web server ends its worker by SystemExit out of a signal handler, Ctrl-C raises KeyboardInterrupt, and gevent throws
GreenletExit into a greenlet that is killed. They must pass, or the server would wait for its worker. The same classes
raised by a task's own code are failures of the task.
"""

from __future__ import annotations

import dis
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from cronq.errors import TaskStopped, TaskTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType

_RAISES = {"RAISE_VARARGS", "RERAISE"}
_ANSWERS_CTRL_C = "asyncio.runners"  # asyncio.run() takes SIGINT for itself, and raises when its loop is closed


def is_interruption(error: BaseException) -> bool:
    """Tell whether an exception came from outside of the code that it ended."""
    if isinstance(error, Exception | TaskTimeout | TaskStopped):
        return False
    greenlet = sys.modules.get("greenlet")
    if greenlet is not None and isinstance(error, greenlet.GreenletExit):
        return True
    return _is_of_a_handler(error.__traceback__) or (isinstance(error, KeyboardInterrupt) and _is_ctrl_c(error))


def _is_of_a_handler(trace: TracebackType | None) -> bool:
    """Tell whether a signal handler, which is called between two instructions of anybody's code, is on the way."""
    handlers = set(_handlers())
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _handlers() -> Iterator[CodeType]:
    for number in signal.valid_signals():
        handler = signal.getsignal(number)
        while isinstance(handler, partial):
            handler = handler.func
        candidates = (handler, getattr(handler, "__func__", None), vars(type(handler)).get("__call__"))
        for candidate in candidates:
            code = getattr(candidate, "__code__", None)
            if code is not None:
                yield code


def _is_ctrl_c(error: BaseException) -> bool:
    """Tell whether Python's own handler raised it. It leaves no frame, but nobody's `raise` is where it came up."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or error.__traceback__ is None:
        return False
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    if trace.tb_frame.f_globals.get("__name__") == _ANSWERS_CTRL_C:
        return True
    return dis.opname[code.co_code[trace.tb_lasti]] not in _RAISES

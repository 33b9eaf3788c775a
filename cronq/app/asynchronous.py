"""Waiting for a queue outside an event loop: a write lock that others hold must not stop the loop of a web server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")


class OneThread:
    """A thread of an app's own: one, so one connection to the queue, and enqueues keep their order."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._pid = 0

    async def run(self, function: Callable[[], T]) -> T:
        """Return what a function returns, called in the thread with the context of whoever awaits it.

        Where the host refuses threads it is called here: better a loop that waits than a message that is lost.
        """
        import asyncio
        import contextvars

        context = contextvars.copy_context()
        try:
            future = self._opened().submit(context.run, function)
        except RuntimeError:  # can't start new thread
            return function()
        return await asyncio.wrap_future(future)

    def _opened(self) -> ThreadPoolExecutor:
        if self._executor is None or self._pid != os.getpid():  # threads do not survive a fork
            from concurrent.futures import ThreadPoolExecutor

            self._executor, self._pid = ThreadPoolExecutor(1, "cronq-enqueue"), os.getpid()
        return self._executor

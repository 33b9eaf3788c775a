"""The event loop of tasks that are coroutines: one for the life of a process, so that their pools survive messages."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

_ABANDONED: list[asyncio.Runner] = []
"""Never closed: loops of the process that this one was forked from, whose closing would change what that one waits for,
and those whose coroutine did not react."""


class EventLoop:
    """Runs coroutines to their end, one after the other, in the context of whoever asks.

    What a coroutine leaves running rests until the next one is run.
    """

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._pid = 0
        self._task: asyncio.Task[Any] | None = None
        self._interruption: BaseException | None = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> object:
        """Return what the coroutine returns. Raises what it raises, or what `interrupt` was given."""
        if _is_in_a_loop():
            return _in_a_thread_of_its_own(coroutine)
        runner = self._open()
        self._interruption = None
        try:
            return runner.run(self._watched(coroutine), context=contextvars.copy_context())
        except asyncio.CancelledError:
            if self._interruption is None:
                raise
            raise self._interruption from None
        finally:
            if self._task is not None:  # a signal has torn the loop from it: it must not go on beside the next one
                self._abandon()

    def interrupt(self, error: BaseException) -> bool:
        """Have `error` raised out of the coroutine that runs, at its next await; False when none does.

        For signal handlers of the thread that runs it.
        """
        task = self._task
        if task is None or self._pid != os.getpid():
            return False
        self._interruption = error
        task.get_loop().call_soon_threadsafe(task.cancel)
        return True

    def close(self) -> None:
        """End what coroutines have left running, and the loop. Another is opened when it is needed."""
        runner, self._runner = self._runner, None
        if runner is not None and self._pid == os.getpid():
            runner.close()

    async def _watched(self, coroutine: Coroutine[Any, Any, Any]) -> object:
        self._task = asyncio.current_task()
        try:
            value = await coroutine
        finally:
            self._task = None
        if self._interruption is not None:  # it caught the cancellation, and its time was over all the same
            raise self._interruption
        return value

    def _abandon(self) -> None:
        """Leave a loop as it is: closing it would wait for a coroutine that does not end."""
        if self._runner is not None:
            _ABANDONED.append(self._runner)
        self._runner = self._task = None

    def _open(self) -> asyncio.Runner:
        if self._runner is not None and self._pid != os.getpid():
            self._abandon()
        if self._runner is None:
            self._runner, self._pid = asyncio.Runner(), os.getpid()
        return self._runner


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _in_a_thread_of_its_own(coroutine: Coroutine[Any, Any, Any]) -> object:
    """Run it where no other loop runs: an asynchronous test that runs its box, a view under `sync://`."""
    values: list[object] = []
    errors: list[BaseException] = []
    context = contextvars.copy_context()

    def run() -> None:
        try:
            values.append(asyncio.run(coroutine))
        except BaseException as error:  # raised in the thread that waits for this one
            errors.append(error)

    thread = threading.Thread(target=context.run, args=(run,), name="cronq-coroutine")
    thread.start()
    thread.join()
    for error in errors:
        raise error
    return values[0]

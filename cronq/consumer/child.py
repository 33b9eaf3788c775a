"""One forked child that does one thing, watched until it has ended.

The child never outlives its consumer (PR_SET_PDEATHSIG), is ended when it overstays its time, and leaves by
`os._exit`, so that nothing of the consumer's is closed, flushed or said goodbye to twice.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from cronq.consumer.watch import LENGTH, Ended, Watch, close, write
from cronq.errors import UsageError
from cronq.escape import escaped_lines

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def run_in_child(
    work: Callable[[], bytes], timeout_s: float | None, captures: bool, meanwhile: Callable[[], float | None]
) -> Ended:
    """Fork, do `work` in the child, and return its answer and how it ended.

    `meanwhile` is called about twice a second, and returns in how many seconds the child has to be ended. SIGALRM
    waits until the fork is done: the queue is closed for it, and a batch that was shared just then would open it
    again, into the child.

    Raises OSError when no process can be had, UsageError where the child could not be kept from outliving us.
    """
    parent, die_with = os.getpid(), _parent_death_signal()
    pipes = _pipes(2 if captures else 1)
    _flush()
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        pid = os.fork()
    except OSError:
        close(*(descriptor for pipe in pipes for descriptor in pipe))
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
    readers, writers = zip(*pipes, strict=True)
    if pid == 0:
        _be_child(work, lambda: die_with(parent), *writers)
    close(*writers)
    return Watch(pid, timeout_s, *readers).until_ended(meanwhile)


def _pipes(count: int) -> list[tuple[int, int]]:
    """Return so many pipes, or none at all where the host has no room for all of them."""
    pipes: list[tuple[int, int]] = []
    try:
        while len(pipes) < count:
            pipes.append(os.pipe())
    except OSError:
        close(*(descriptor for pipe in pipes for descriptor in pipe))
        raise
    return pipes


def _be_child(
    work: Callable[[], bytes], prepare: Callable[[], None], answer: int, output: int | None = None
) -> NoReturn:
    code = 1
    try:
        prepare()
        os.setpgid(0, 0)  # Ctrl-C is for the consumer; and what the task starts can be ended with it
        if output is not None:
            os.dup2(output, 1)
            os.dup2(output, 2)
        found = work()
        _flush()
        write(answer, len(found).to_bytes(LENGTH, "big") + found)
        code = 0
    except BaseException:
        import traceback

        sys.stderr.write(escaped_lines(traceback.format_exc()))
        _flush()
    finally:
        os._exit(code)


@cache
def _parent_death_signal() -> Callable[[int], None]:
    """Return what a child calls first: the kernel will end it the moment its parent ends (prctl(2)).

    The parent may have ended before that was asked: then the child has another parent by now, and leaves at once.
    """
    try:
        import ctypes

        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError) as error:
        raise UsageError(
            f"isolated=True needs prctl(2) through ctypes, which this Python lacks ({error}): without it a message "
            f"could go on after its consumer was killed, and run twice"
        ) from error

    def ask(parent: int) -> None:
        if prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)

    return ask


def _flush() -> None:
    """What is buffered would be written twice after a fork, and not at all by `os._exit`."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # closed, or none: nothing to lose
            continue

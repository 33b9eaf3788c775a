"""Processes that a test starts, and that are gone when it ends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Started = subprocess.Popen[str]
    Starting = Callable[..., Started]


PATIENCE_S = 300


@pytest.fixture
def python() -> Iterator[Starting]:
    """Start `code` in a Python of its own; `say("...")` in it prints a line that the test can wait for."""
    started: list[Started] = []

    def start(code: str, *args: str, **options: Any) -> Started:
        source = "import os, sys, time\ndef say(text): print(text, flush=True)\n" + textwrap.dedent(code)
        process: Started = subprocess.Popen(
            [sys.executable, "-c", source, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:  # closes its streams and reaps it: reading on would wait for whoever else holds their other end
            process.kill()


def says(process: Started) -> str:
    """Return the next line that a process prints, empty when it has ended. One that hangs is killed."""
    assert process.stdout is not None
    hanging = threading.Timer(PATIENCE_S, process.kill)
    hanging.start()
    try:
        return process.stdout.readline().strip()
    finally:
        hanging.cancel()
        hanging.join()


def answer(process: Started) -> str:
    """Let a process go on, and return the next line that it prints."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return says(process)


def open_descriptors() -> int:
    """Return how many descriptors this process has open, without those that earlier tests left to the collector."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))

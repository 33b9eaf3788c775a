"""Processes that a test starts, and that are gone when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Started = subprocess.Popen[str]
    Starting = Callable[..., Started]


@pytest.fixture
def python() -> Iterator[Starting]:
    """Start `code` in a Python of its own; `say("...")` in it prints a line that the test can wait for."""
    started: list[Started] = []

    def start(code: str, *args: str, **options: object) -> Started:
        source = "import os, sys, time\ndef say(text): print(text, flush=True)\n" + textwrap.dedent(code)
        process = subprocess.Popen(
            [sys.executable, "-c", source, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def says(process: Started) -> str:
    """Return the next line that a process prints, empty when it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def answer(process: Started) -> str:
    """Let a process go on, and return the next line that it prints."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return says(process)

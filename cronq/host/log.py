"""The event log: what happened, one line each."""

from __future__ import annotations

import os
import sys
import time

from cronq.host.process import PRESSURE
from cronq.host.state_dir import open_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_AT_EVERY_TICK = "ticked"  # has no words, and an idle tick need not import those of the others to learn that


class EventLog:
    """Appends events that have words to a file; one write per line, so that lines of many processes do not mix."""

    def __init__(self, path: str, who: str) -> None:
        self.path = path
        self._who = who
        self._words: Callable[[str, Mapping[str, object]], str | None] | None = None

    def __call__(self, name: str, facts: Mapping[str, object]) -> None:
        if name == _AT_EVERY_TICK:
            return
        if self._words is None:
            from cronq.host.event_words import words_for

            self._words = words_for
        words = self._words(name, facts)
        if words is None:
            return
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = f"{stamp} {self._who}[{os.getpid()}] {words}\n"
        try:
            descriptor = open_private(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                os.write(descriptor, line.encode(errors="replace"))
            finally:
                os.close(descriptor)
        except OSError as error:  # a full disk must not stop the work that the line is about, nor make cron send mail
            if error.errno in PRESSURE:
                return
            from cronq.escape import escaped

            sys.stderr.write(f"cronq: {escaped(self.path)}: {error.strerror}: {line}")

"""Every event, looked for in the source: each has words for the log or a signal, and no line is worded elsewhere."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cronq.contrib.logs import _LEVELS
from cronq.host.event_words import _WORDS
from cronq.signals import _BY_NAME

ROOT = Path(__file__).parent.parent
SOURCES = [path for package in ("cronq", "wsgi_hooks") for path in sorted((ROOT / package).rglob("*.py"))]


def emitted() -> set[str]:
    return {
        str(text.value)
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"emit", "events.emit"}
        for text in ast.walk(call.args[0])  # `emit("this" if so else "that", ...)` says both
        if isinstance(text, ast.Constant)
    }


def test_every_event_is_heard_of():
    assert emitted() - set(_WORDS) - set(_BY_NAME) == set()


@pytest.mark.parametrize("known", [_WORDS, _BY_NAME, _LEVELS], ids=["words", "signals", "levels"])
def test_whatever_is_listened_for_happens_somewhere(known):
    assert set(known) - emitted() == set()


def test_only_the_event_log_writes_to_the_event_log():
    """Whoever has something for the log emits an event, and `event_words.py` has the words."""
    writers = {path.name for path in SOURCES if "state.log" in path.read_text() and "EventLog" not in path.read_text()}
    assert writers == {"cleanup.py", "real_queue.py", "message_log.py"}  # one rotates the file, two read it
    assert {path.name for path in SOURCES if 'strftime("%Y-%m-%dT%H:%M:%SZ"' in path.read_text()} == {"log.py"}
    assert [path.name for path in SOURCES if "import logging" in path.read_text()] == ["logs.py"]

from __future__ import annotations

import subprocess
import sys

import pytest

from cronq import events
from cronq.events import emit


@pytest.fixture
def signals():
    from cronq import signals

    if signals._forward not in events.listeners:
        events.listeners.append(signals._forward)
    yield signals
    events.listeners.remove(signals._forward)


def test_a_receiver_hears_what_happens_with_its_facts(signals):
    heard = []

    def receiver(name, **facts):
        heard.append((name, facts))

    signals.finished.connect(receiver)
    emit("finished", message="m")
    emit("failed", message="other")
    assert heard == [("finished", {"message": "m"})]


def test_a_receiver_that_fails_does_not_break_the_work(signals, capsys):
    def receiver(name, **facts):
        raise RuntimeError("bad receiver")

    signals.finished.connect(receiver)
    emit("finished", message="m")
    assert "bad receiver" in capsys.readouterr().err


def test_every_signal_says_what_it_means(signals):
    assert all(signal.__doc__ for signal in signals._BY_NAME.values())


def test_a_program_that_does_not_import_signals_does_not_import_blinker():
    code = "import sys, cronq.events, cronq.app; sys.exit('blinker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

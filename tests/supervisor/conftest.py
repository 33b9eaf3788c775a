from __future__ import annotations

import pytest

from cronq import events


@pytest.fixture
def told():
    """What is told of the events of a test, but for each message that was submitted."""
    heard = []

    def listen(name, facts):
        if name != "submitted":
            heard.append((name, facts))

    events.listeners.append(listen)
    return heard

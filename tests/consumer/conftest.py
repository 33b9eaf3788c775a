from __future__ import annotations

import pytest

from cronq import events
from tests.consumer.batches import Batch
from tests.consumer.bench import Bench
from tests.consumer.crew import Crew
from tests.consumer.isolation_helpers import Cell


@pytest.fixture
def crew() -> Crew:
    return Crew()


@pytest.fixture
def batching() -> Crew:
    return Crew(batch=10)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def cell() -> Cell:
    return Cell()


@pytest.fixture
def batch(crew) -> Batch:
    return Batch(crew)


@pytest.fixture
def heard():
    told: list[tuple[str, object]] = []

    def listen(name, facts):
        if "message" in facts:
            told.append((name, facts.get("error")))

    events.listeners.append(listen)
    yield told
    events.listeners.remove(listen)

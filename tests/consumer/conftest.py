from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq import events
from tests.consumer.batches import Batch
from tests.consumer.bench import Bench
from tests.consumer.crew import Crew
from tests.consumer.isolation_helpers import Cell

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def crew() -> Crew:
    return Crew()


@pytest.fixture
def batching() -> Crew:
    return Crew(batch=10)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.runner.close()


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

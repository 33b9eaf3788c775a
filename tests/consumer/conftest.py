from __future__ import annotations

import pytest

from tests.consumer.crew import Crew


@pytest.fixture
def crew() -> Crew:
    return Crew()


@pytest.fixture
def batching() -> Crew:
    return Crew(batch=10)

"""Whoever is killed, wherever: nothing is lost, nothing is run by two at once, one message at most is run again.

A sample of the points, drawn anew every time, in about a minute; CRONQ_SWEEP=full tries all of them in twenty, and
CRONQ_SWEEP_SEED repeats a sample.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.reliability import strace
from tests.reliability.scenario import ROLES, Role
from tests.reliability.sweep import IS_FULL, Outcome, compile_all, sweep, table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE = 20
SAMPLE_S = 4.5  # per role

MISSING = strace.what_is_missing()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]


@pytest.fixture(scope="module")
def outcomes() -> Iterator[list[Outcome]]:
    """What every role came to, printed as one table when the last one is done."""
    compile_all()
    found: list[Outcome] = []
    yield found
    print(f"\n{table(found)}")


@pytest.fixture(scope="module")
def seed() -> int:
    drawn = int(os.environ.get("CRONQ_SWEEP_SEED") or random.randrange(1_000_000))
    print(f"\nCRONQ_SWEEP_SEED={drawn}")
    return drawn


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_kill_loses_nothing_and_repeats_one_message_at_most(
    role: Role, home: Path, outcomes: list[Outcome], seed: int
) -> None:
    found = sweep(role, home) if IS_FULL else sweep(role, home, SAMPLE, time.monotonic() + SAMPLE_S, seed)
    outcomes += found

    assert any(one.was_killed for one in found)
    assert {f"{one.point.syscall} {one.point.n}": one.faults for one in found if one.faults} == {}

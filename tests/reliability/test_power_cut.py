"""After a power cut at any moment every message whose enqueue had returned is there, and the database is whole.

A sample of the points in about half a minute; `python -m tests.reliability.powercut` tries all of them.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.reliability import strace
from tests.reliability.powercut import ENOUGH, Plan, Tried, go_on, images_place, make_run, try_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reliability.recording import Change

SEED = os.environ.get("CRONQ_CUT_SEED")  # asked here, because no test sees a variable of cronq's (conftest)
MISSING = strace.what_is_missing()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]


@pytest.fixture
def seed() -> int:
    drawn = int(SEED or random.randrange(1_000_000))
    print(f"\nCRONQ_CUT_SEED={drawn}")
    return drawn


def sample(seed: int, run: tuple[str, list[Change]], home: Path) -> Tried:
    tried = try_all(run, images_place(home), Plan(0.2, 3, 3, time.monotonic() + 15), seed)
    print(tried)
    return tried


@pytest.mark.parametrize("is_on_network", [False, True], ids=["wal", "truncate"])
def test_a_power_cut_loses_no_message_that_was_enqueued(is_on_network: bool, home: Path, seed: int) -> None:
    run = make_run(home, is_on_network)

    tried = sample(seed, run, home)

    assert tried.images["mixed sectors"] > ENOUGH
    assert tried.faults == []
    assert go_on(run, home, 5, seed) == []


def test_a_power_cut_loses_no_message_that_was_kept_in_the_spool(home: Path, seed: int) -> None:
    run = make_run(home, has_spool=True)
    assert [one for one in run[1] if one.path.endswith("/spool") and one.verb == "write" and b"quick" in one.data]

    tried = sample(seed, run, home)

    assert tried.images["mixed sectors"] > ENOUGH
    assert tried.faults == []
    assert go_on(run, home, 5, seed) == []


def test_without_full_durability_the_same_cuts_do_lose_messages(home: Path, seed: int) -> None:
    """The proof that these images can show a loss: nothing is promised for durability = "normal"."""
    tried = sample(seed, make_run(home, durability="normal"), home)

    assert any("lost" in fault for fault in tried.faults)
    assert not any("integrity_check" in fault for fault in tried.faults)

"""No silent minutes beside consumers that stand still on their way in or out: a sample, drawn anew every time.

CRONQ_DELAYS_SEED repeats one; `python -m tests.reliability.delays` tries all there are, within two seconds.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reliability import strace
from tests.reliability.delays import ENDS, STARTS, WHILE, Case, sample, try_out

if TYPE_CHECKING:
    from tests.reliability.delays import Point

MISSING = strace.what_is_missing()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

SOON_S = 15.0  # two on a machine with nothing else to do; a tick would come after a minute, marks are old after ten


@pytest.fixture(scope="module")
def cases() -> dict[Point, Case]:
    seed = int(os.environ.get("CRONQ_DELAYS_SEED") or random.randrange(1_000_000))
    print(f"\nCRONQ_DELAYS_SEED={seed}")
    return {case.point: case for case in sample(seed)}


@pytest.mark.parametrize("point", [*STARTS, *ENDS], ids=lambda point: point.name)
def test_a_message_runs_once_and_soon_beside_a_consumer_that_stands_still(
    point: Point, cases: dict[Point, Case], home: Path
) -> None:
    found = try_out(cases[point], home)
    assert found.faults == (), cases[point]
    assert found.late_s < SOON_S, cases[point]


@pytest.mark.parametrize("mode", ["inline", "spawn"])
def test_the_trial_sees_that_nobody_comes_where_marks_are_believed(
    mode: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).with_name("sabotage")))
    monkeypatch.setenv("SABOTAGE", "believes_marks")
    found = try_out(Case(ENDS[-1], 0.3, WHILE, mode), home, silent_s=5.0)
    assert found.faults == ("silent: nobody ran it",)

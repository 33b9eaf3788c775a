"""No silent minutes, with a real server: the next page views start the work, however the last consumer ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reliability.waits import ENDINGS, MODES, wait_s

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reliability.waits import Ending

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name)
def test_a_page_view_has_the_work_done_and_no_tick_runs(ending: Ending, mode: str, home: Path) -> None:
    wait_s(home, ending, "15m", mode)  # fails when nobody comes: no tick, and marks would be fresh for ten minutes
    assert not (home / ".cronq" / "ticks").exists()

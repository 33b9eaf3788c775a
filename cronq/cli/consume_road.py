"""`cronq consume TARGET...` without click: what the tick starts."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cronq.config.cache import load_quickly
from cronq.runtime.assignment import assignment
from cronq.runtime.launcher import launch

if TYPE_CHECKING:
    from collections.abc import Sequence


def consume_targets(config: str | None, targets: Sequence[str]) -> int:
    """Consume for groups (`high`), or take over their slots (`high.0`): one consumer each."""
    settings = load_quickly(config, os.environ, time.time())
    return launch(settings, [assignment(settings, target) for target in targets])

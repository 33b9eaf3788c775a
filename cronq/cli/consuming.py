"""`cronq consume TARGET` without click: what the tick starts."""

from __future__ import annotations

from cronq.app.assignment import assignment
from cronq.app.process import consume
from cronq.config import load


def consume_target(config: str | None, target: str) -> int:
    """Consume for a group (`high`), or take over one of its slots (`high.0`)."""
    settings = load(config)
    return consume(settings, assignment(settings, target))

"""Values that many tests start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.app import App
from cronq.config.settings import DEFAULT_GROUPS, Settings
from cronq.messages.holder import Holder
from cronq.messages.ids import new_id
from cronq.messages.message import Message

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clocks import FakeClock

ME = Holder("web1", "high.0", 100, 5, "boot0001")


def message(queue: str = "high", **fields: object) -> Message:
    return Message(**{"id": new_id(), "queue": queue, "task": "shop.send", "body": b'{"to":"ada"}', **fields})  # type: ignore[arg-type]


def settings(home: Path | str, **fields: object) -> Settings:
    known = {"groups": DEFAULT_GROUPS, "transport": "memory://", **fields}
    return Settings(None, str(home), f"{home}/.cronq", **known)  # type: ignore[arg-type]


def app(clock: FakeClock | None = None, home: Path | str = "/nowhere", **fields: object) -> App:
    """An app whose queues are in memory."""
    return App(settings(home, **fields), clock)

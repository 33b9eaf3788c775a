"""Slots and sights as the supervisor sees them."""

from __future__ import annotations

from typing import Any

from cronq.config.settings import Autoscale, Group, Settings
from cronq.messages.holder import Holder
from cronq.supervisor.backoff import Backoff
from cronq.supervisor.plan import Sight
from cronq.supervisor.slots import CONSUMING, Seen, SlotNote

NOW, MONOTONIC = 1_000_000.0, 5000.0
BOOT = "boot0001"
NEVER = Backoff(boot=BOOT)  # nobody has died young


def note(slot: str = "high.0", pid: int = 100, started: int = 500, **fields: Any) -> SlotNote:
    """A note of a consumer that began two minutes ago and ends in five."""
    known = {
        "state": CONSUMING,
        "queues": ("high",),
        "begun_at": NOW - 120,
        "begun": MONOTONIC - 120,
        "deadline": MONOTONIC + 300,
        "position": 7,
        "since": MONOTONIC - 1,
    }
    return SlotNote(Holder("web1", slot, pid, started, BOOT), **{**known, **fields})


def live(slot: str = "high.0", pid: int = 100, **fields: Any) -> Seen:
    return Seen(slot, pid, note(slot, pid, **fields))


def dead(slot: str = "high.0", **fields: Any) -> Seen:
    return Seen(slot, None, note(slot, **fields))


def group(name: str = "high", least: int = 0, most: int = 3, size: int = 5, **fields: Any) -> Group:
    return Group(name, (name,), Autoscale(size, least, most)).changed(**fields)


def project(*groups: Group, max_processes: int = 10) -> Settings:
    return Settings(None, "/srv", "/srv/.cronq", groups=groups or (group(),), max_processes=max_processes)


def sight(*slots: Seen, depth: dict[str, int] | None = None, **fields: Any) -> Sight:
    return Sight(NOW, MONOTONIC, **{"interval_s": 60.0, "slots": slots, "depth": depth or {}, **fields})

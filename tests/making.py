"""Values that many tests start from. What may be said of them is told by name, so that a renamed field is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from cronq.app import App
from cronq.config.settings import DEFAULT_GROUPS, Settings
from cronq.messages.holder import Holder
from cronq.messages.ids import new_id
from cronq.messages.message import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Literal, Unpack

    from cronq.config.settings import Durability, Group, Inline, Queue, Spawn
    from cronq.schedules.schedule import Schedule
    from cronq.webhook.subscription import Webhook
    from tests.clocks import FakeClock

ME = Holder("web1", "high.0", 100, 5, "boot0001")


class MessageFields(TypedDict, total=False):
    """Fields of a message but for its queue."""

    id: str
    task: str
    body: bytes
    headers: bytes
    priority: int
    available_at: float
    attempt: int
    max_attempts: int
    expires_at: float | None
    position: int
    unique_key: str | None
    unique_until: float
    running_key: str | None
    max_running: int
    gather: int
    follow: bytes
    group_id: str | None
    part: int
    cursor: bytes
    waits_for: str | None
    stop: bool
    replaces: float


class SettingsFields(TypedDict, total=False):
    """Fields of settings but for where they lie."""

    app: str | None
    transport: str
    durability: Durability
    queue_prefix: str
    python: str | None
    spawn: Spawn
    interval_s: float | Literal["auto"]
    max_processes: int
    memory_mb: int | None
    code_marker: tuple[str, ...]
    failures_keep_s: float
    log_max_mb: int
    groups: tuple[Group, ...]
    queues: Mapping[str, Queue]
    routing: Mapping[str, tuple[str, ...]]
    modules: tuple[str, ...]
    entry_points: tuple[str, ...]
    inline: Inline
    schedules: tuple[Schedule, ...]
    webhooks: tuple[Webhook, ...]


def message(queue: str = "high", **fields: Unpack[MessageFields]) -> Message:
    known: MessageFields = {"id": new_id(), "task": "shop.send", "body": b'{"to":"ada"}', **fields}
    return Message(queue=queue, **known)


def settings(home: Path | str, **fields: Unpack[SettingsFields]) -> Settings:
    known: SettingsFields = {"groups": DEFAULT_GROUPS, "transport": "memory://", **fields}
    return Settings(None, str(home), f"{home}/.cronq", **known)


def app(clock: FakeClock | None = None, home: Path | str = "/nowhere", **fields: Unpack[SettingsFields]) -> App:
    """An app whose queues are in memory."""
    return App(settings(home, **fields), clock)

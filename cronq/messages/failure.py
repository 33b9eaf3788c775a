"""What a failure callback is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Failure:
    """A message that went to the failure queue: for good, until a person retries it.

    `arguments` are as JSON has them, by name; empty where they cannot be read. `error_class` is the name of the
    exception, or what stands for it when there was none (a killed consumer, an expired message). `host` is where that
    was written down: where it ran, or where a tick found its consumer dead.
    """

    message_id: str
    task: str
    queue: str
    arguments: dict[str, Any]
    error_class: str
    error: str
    attempt: int
    host: str = ""

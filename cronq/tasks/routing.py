"""Which queue a message goes to: its class's priority, unless the configuration says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cronq.tasks.module_name import full_name, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_QUEUE = "normal"


class HighPriority:
    """Mark a message class: its messages go to the queue `high`."""

    queue: ClassVar[str] = "high"


class NormalPriority:
    """Mark a message class: its messages go to the queue `normal`."""

    queue: ClassVar[str] = "normal"


class LowPriority:
    """Mark a message class: its messages go to the queue `low`."""

    queue: ClassVar[str] = "low"


def queue_of_class(message_class: type, routing: Mapping[str, str]) -> str | None:
    """Return the queue of a message class by `[routing]` (nearest class first), else by its marker, else None."""
    wanted = {settled(name): queue for name, queue in routing.items()}
    for cls in message_class.__mro__:
        routed = wanted.get(full_name(cls))
        if routed:
            return routed
    if issubclass(message_class, HighPriority | NormalPriority | LowPriority):
        return message_class.queue
    return None

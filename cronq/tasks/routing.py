"""Which queues a message goes to: that of its class's priority, unless the configuration says otherwise."""

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


def queues_of_task(task: str, routing: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the queues that `[routing]` says for a task by its name; none when it says nothing."""
    return next((queues for name, queues in routing.items() if settled(name) == task), ())


def queues_of_class(message_class: type, routing: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the queues of a message class by `[routing]` (nearest class first), else by its marker, else none."""
    wanted = {settled(name): queues for name, queues in routing.items()}
    for cls in message_class.__mro__:
        routed = wanted.get(full_name(cls))
        if routed:
            return routed
    if issubclass(message_class, HighPriority | NormalPriority | LowPriority):
        return (message_class.queue,)
    return ()

"""Which messages get a process of their own: what the task, its queue and the consumer's group say together."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.consumer.isolation import Confinement, Isolation
    from cronq.consumer.stops import Stops
    from cronq.tasks.task import Task


def confinement_of(settings: Settings, everything: bool) -> Callable[[Task[..., Any], str], Confinement | None]:
    """Return the function that says how messages of a task in a queue are isolated; None for those that are not."""
    configured = everything or any(queue.isolated is not None for queue in settings.queues.values())

    def confinement(task: Task[..., Any], queue: str) -> Confinement | None:
        options = task.options
        if not configured and not options.isolated:
            return None
        of_queue = settings.queue(queue)
        if not everything and not (options.isolated if of_queue.isolated is None else of_queue.isolated):
            return None
        from cronq.consumer.isolation import Confinement

        return Confinement(of_queue.memory_mb or options.memory_mb, options.capture_output)

    return confinement


def isolation(clock: Clock, stops: Stops) -> Callable[[], Isolation]:
    """Return what makes the consumer's Isolation when the first message needs it."""

    @cache
    def make() -> Isolation:
        from cronq.consumer.isolation import Isolation

        return Isolation(clock, stops)

    return make


def inline_queues(settings: Settings, queues: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of `queues` that a web process may work on: left out are those whose messages want own processes."""
    return tuple(name for name in settings.unpaused(queues) if not settings.queue(name).isolated)

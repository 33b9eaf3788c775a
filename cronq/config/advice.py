"""What is allowed in a configuration and yet is probably not meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.config.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.config.settings import Settings


def warnings(settings: Settings) -> tuple[str, ...]:
    """Return what a person should know about `settings`, one text each; nothing here stops cronq."""
    advisers = (development, _unserved_queues, _lonely_inline_queues, _too_many_at_least, _too_much_memory)
    inline_advisers = (_short_grace, _long_inline, _long_slice)
    works_inline = settings.inline.mode != "off" and settings.inline.queues
    return tuple(text for ask in advisers + (inline_advisers if works_inline else ()) for text in ask(settings))


def development(settings: Settings) -> Iterator[str]:
    """Say that development is on, if it is: no mistake, unless it is forgotten."""
    if settings.dev is True:
        yield (
            "dev: development is on: web processes do all the work after their responses, whoever lives, and start no "
            "consumer; turn it off (CRONQ_DEV, dev) where visitors come"
        )


def _unserved_queues(settings: Settings) -> Iterator[str]:
    """Without groups nothing is said: then something outside starts the consumers."""
    if settings.groups:
        for name in settings.queues:
            if name not in _served(settings) | _inline_queues(settings):
                yield f"queues.{name}: no group of [[consumers]] serves this queue, its messages stay where they are"


def _lonely_inline_queues(settings: Settings) -> Iterator[str]:
    unserved = sorted(_inline_queues(settings) - _served(settings)) if settings.groups else []
    lonely = [name for name in unserved if not settings.queue(name).isolated]
    if lonely:
        yield f"inline.queues: no group of [[consumers]] serves {', '.join(lonely)}: only web requests will work there"
    for name in unserved:
        if name not in lonely:
            yield f"queues.{name}.isolated: web requests leave it to consumers, and no group of [[consumers]] serves it"


def _too_many_at_least(settings: Settings) -> Iterator[str]:
    least = sum(group.autoscale.min for group in settings.groups)
    if least > settings.max_processes:
        yield (
            f"max_processes = {settings.max_processes}: the groups ask for {least} consumers at least "
            "(the sum of autoscale.min), so the last ones never start"
        )


def _too_much_memory(settings: Settings) -> Iterator[str]:
    for group in settings.groups:
        if settings.memory_mb and group.memory_limit_mb and group.memory_limit_mb > settings.memory_mb:
            yield (
                f"memory_mb = {settings.memory_mb}: one consumer of group {group.name} "
                f"may take {group.memory_limit_mb} (memory_limit_mb)"
            )


def _short_grace(settings: Settings) -> Iterator[str]:
    grace_s = settings.inline.grace_period_s
    for group in settings.groups:
        if grace_s < group.sleep_s:
            yield (
                f'inline.grace_period = "{format_duration(grace_s)}": group {group.name} looks at its queues '
                f"only every {format_duration(group.sleep_s)} (sleep), so web requests take it for absent"
            )


def _long_inline(settings: Settings) -> Iterator[str]:
    limit_s, request_s = settings.inline.time_limit_s, settings.inline.request_timeout_s
    if limit_s > request_s:
        yield (
            f'inline.time_limit = "{format_duration(limit_s)}": the server ends a request after '
            f"{format_duration(request_s)} (inline.request_timeout), so no more than that is used"
        )


def _long_slice(settings: Settings) -> Iterator[str]:
    slice_s, limit_s = settings.inline.slice_s, settings.inline.time_limit_s
    if slice_s > limit_s:
        yield (
            f'inline.slice = "{format_duration(slice_s)}": inline work ends after '
            f"{format_duration(limit_s)} (inline.time_limit)"
        )


def _served(settings: Settings) -> set[str]:
    return {queue for group in settings.groups for queue in group.queues}


def _inline_queues(settings: Settings) -> set[str]:
    return set(settings.inline.queues) if settings.inline.mode != "off" else set()

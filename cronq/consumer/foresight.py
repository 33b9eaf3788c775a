"""Which messages may take long, as far as one can know before they are run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cronq.clock import Clock
    from cronq.consumer.run_times import Durations

LONG_S = 1.0  # others wait two at most, and a consumer takes a part of that to start
LOOK_EVERY_S = 1.0


class Foresight:
    """Calls for help before a message of a task that is not known to be short: 95 of 100 runs took less than a second.

    `short` is what a consumer asks before every message. `known` are durations of earlier consumers, `measured` those
    of this one.
    """

    def __init__(
        self, known: Mapping[str, float], measured: Durations, call_for_help: Callable[[], None], clock: Clock
    ) -> None:
        self.short: set[str] = {task for task, seconds in known.items() if seconds < LONG_S}
        self._measured = measured
        self._call_for_help = call_for_help
        self._clock = clock
        self._next_call = 0.0

    def before(self, task: str) -> None:
        """Say that a message of a task that is not in `short` is about to be run."""
        taken_s = self._measured.p95_of(task)
        if taken_s is not None and taken_s < LONG_S:
            self.short.add(task)
        elif self._clock.monotonic() >= self._next_call:
            self._next_call = self._clock.monotonic() + LOOK_EVERY_S
            self._call_for_help()

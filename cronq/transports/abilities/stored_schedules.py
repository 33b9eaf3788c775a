"""Keeping schedules, so that each is fired once, however many hosts try."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.schedules.stored import Fired, Firing, StoredSchedule


@runtime_checkable
class StoredSchedules(Protocol):
    """Keeps schedules by source and name, and moves each on in the commit that enqueues its messages."""

    def schedules(self) -> list[StoredSchedule]:
        """Return every schedule, by name."""

    def declare(self, source: str, schedules: Sequence[StoredSchedule], only: Sequence[str] | None = None) -> None:
        """Store what `source` declares in place of what it declared before, or of that of the names in `only`.

        See `redeclared`.
        """

    def revise(self, old: StoredSchedule, new: StoredSchedule) -> bool:
        """Store `new` in place of `old`. False, and nothing done, when its `next_at` is no longer that of `old`."""

    def fire(self, firing: Firing) -> Fired:
        """Enqueue the messages of a due schedule and set its next time, in one commit; see `fired`.

        BEATEN, and nothing done, when its `next_at` is no longer what the firing says: somebody else has fired it.
        How a message with the header of a schedule ends is written down by whatever ends it: see `ended`.
        """

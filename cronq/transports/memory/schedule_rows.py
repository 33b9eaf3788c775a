"""The schedules of the transport in memory. Whoever calls holds its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.message import State
from cronq.schedules.stored import Fired, ended, fired, redeclared, schedule_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.messages.message import Message, Outcome
    from cronq.schedules.stored import Firing, StoredSchedule

OVER: set[State | None] = {None, State.DONE, State.FAILED}


class MemorySchedules:
    """Keeps schedules by source and name. `state_of` tells how a message stands, None when it is gone."""

    def __init__(self, state_of: Callable[[str], State | None]) -> None:
        self._state_of = state_of
        self._all: dict[tuple[str, str], StoredSchedule] = {}

    def all(self) -> list[StoredSchedule]:
        return sorted(self._all.values(), key=lambda one: (one.name, one.source))

    def declare(self, source: str, schedules: Sequence[StoredSchedule], only: Sequence[str] | None, now: float) -> None:
        before = self._all
        replaced = {key for key in before if key[0] == source and (only is None or key[1] in only)}
        new = {one.key: redeclared(before.get(one.key), one, now) for one in schedules}
        self._all = {key: one for key, one in before.items() if key not in replaced} | new

    def revise(self, old: StoredSchedule, new: StoredSchedule) -> bool:
        if not self._is_as(old):
            return False
        self._all[old.key] = new
        return True

    def fire(self, firing: Firing, now: float, enqueue: Callable[[Sequence[Message]], Mapping[str, str]]) -> Fired:
        stored = self._all.get(firing.schedule.key)
        if stored is None or not self._is_as(firing.schedule):
            return Fired.BEATEN
        moved, answer = fired(stored, firing, self._goes_on, now)
        if answer is Fired.ENQUEUED:
            absorbed = enqueue(firing.messages)
            last_id = moved.last_message_id or ""
            moved = moved._replace(last_message_id=absorbed.get(last_id, last_id))
        self._all[stored.key] = moved
        return answer

    def end(self, outcome: Outcome, now: float) -> None:
        """Write down how a run ended, when the message was one."""
        name = schedule_name(outcome.message)
        for key, one in self._all.items():
            if one.name == name:
                self._all[key] = ended(one, outcome, now)

    def _is_as(self, known: StoredSchedule) -> bool:
        stored = self._all.get(known.key)
        return stored is not None and stored.next_at == known.next_at

    def _goes_on(self, message_id: str) -> bool:
        return self._state_of(message_id) not in OVER

"""Not starting again and again what dies at once: a doubling delay per group."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cronq.host.state_dir import read_text, replace_text
from cronq.supervisor.slots import CONSUMING, LEFT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.supervisor.slots import Seen, SlotNote

YOUNG_S = 10.0
LONGEST_S = 3600.0


class Backoff(NamedTuple):
    """How many young deaths a group had in a row, until when none is started, and when the last of the dead began."""

    deaths: int = 0
    until: float = 0.0
    last: float = 0.0

    def holds(self, now: float) -> bool:
        """Tell whether nothing may be started yet. A clock that was set back must not stretch the delay."""
        return now < self.until <= now + LONGEST_S


def judge(before: Backoff, slots: Sequence[Seen], interval_s: float, now: float) -> Backoff:
    """Return a group's back-off after a look at its slots: longer by a new young death, gone with a sound life."""
    new = [seen for seen in slots if seen.note is not None and seen.note.begun_at > before.last]
    young = [seen.note.begun_at for seen in new if seen.note is not None and _died_young(seen, seen.note)]
    if young:
        return _after_death(before, max(young), interval_s, now)
    if before.deaths and any(seen.note is not None and _is_sound(seen, seen.note) for seen in new):
        return Backoff(last=before.last)
    return before


def _after_death(before: Backoff, began_at: float, interval_s: float, now: float) -> Backoff:
    """Return the next longer back-off.

    The delay ends half an interval before a tick, so that the tick itself need not come on the dot:
    the first death waits for the next tick, the second skips one, then three, seven, ... at most an hour.
    """
    delay = interval_s * (2.0 ** min(before.deaths, 12) - 0.5)
    return Backoff(before.deaths + 1, now + min(delay, LONGEST_S), began_at)


def _died_young(seen: Seen, note: SlotNote) -> bool:
    """Gone without having said goodbye, before it consumed anything or within seconds of its start."""
    if seen.is_live or note.state == LEFT:
        return False
    if note.state == CONSUMING and note.is_idle:
        return note.position == 0  # one that had come to rest after its first look was killed, however long it lived
    return note.state != CONSUMING or note.since - note.begun_at < YOUNG_S


def _is_sound(seen: Seen, note: SlotNote) -> bool:
    return note.state == LEFT or (seen.live_note is not None and note.state == CONSUMING)


def add_death(path: str, began_at: float, interval_s: float, now: float) -> None:
    """Count a consumer that ended before it had a slot to write its end into: a successor that could not start."""
    write(path, _after_death(read(path), began_at, interval_s, now))


def read(path: str) -> Backoff:
    """Return what is remembered of a group; nothing when the file is missing or cut off."""
    try:
        deaths, until, last = (read_text(path) or "").split()
        return Backoff(int(deaths), float(until), float(last))
    except ValueError:
        return Backoff()


def write(path: str, backoff: Backoff) -> None:
    replace_text(path, f"{backoff.deaths} {backoff.until:.3f} {backoff.last:.3f}\n")

"""Not starting again and again what dies at once: a doubling delay per group."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cronq.host.state_dir import read_text, replace_text
from cronq.supervisor.slots import CONSUMING, LEFT, STARTING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.supervisor.slots import Seen, SlotNote

YOUNG_S = 10.0
LONGEST_S = 3600.0


class Backoff(NamedTuple):
    """How often a group's consumers died young in a row, until when none is started, and which death was the last."""

    deaths: int = 0
    until: float = 0.0
    last: str = ""

    def holds(self, now: float) -> bool:
        """Tell whether nothing may be started yet. A clock that was set back must not stretch the delay."""
        return now < self.until <= now + LONGEST_S


def judge(before: Backoff, slots: Sequence[Seen], interval_s: float, now: float) -> Backoff:
    """Return a group's back-off after looking at its slots: longer with a new young death, gone with a sound life."""
    notes = [seen.note for seen in slots if seen.note is not None and (not seen.is_live or seen.live_note)]
    young = [note for note in notes if _died_young(note, slots, now)]
    fresh = [note for note in young if note.begun_at > _begun(before.last)]
    if fresh:
        newest = max(fresh, key=lambda note: note.begun_at)
        deaths = before.deaths + 1
        delay = min(interval_s * 2.0 ** min(deaths - 1, 12), LONGEST_S)
        return Backoff(deaths, now + delay if deaths > 1 else 0.0, f"{newest.begun_at:.3f}")
    if any(note not in young and note.state != STARTING and note.begun_at > _begun(before.last) for note in notes):
        return Backoff(last=before.last)
    return before


def _died_young(note: SlotNote, slots: Sequence[Seen], now: float) -> bool:
    """A consumer that is gone without having said so, before it consumed or within seconds."""
    if any(seen.is_live and seen.note is note for seen in slots) or note.state == LEFT:
        return False
    if note.state == STARTING:
        return True
    last_seen = max(note.begun_at, note.since)
    return note.state == CONSUMING and last_seen - note.begun_at < YOUNG_S


def _begun(last: str) -> float:
    return float(last) if last else 0.0


def read(path: str) -> Backoff:
    """Return what is remembered of a group; nothing when the file is missing or cut off."""
    parts = (read_text(path) or "").split()
    try:
        return Backoff(int(parts[0]), float(parts[1]), parts[2] if len(parts) > 2 else "")
    except (IndexError, ValueError):
        return Backoff()


def write(path: str, backoff: Backoff) -> None:
    replace_text(path, f"{backoff.deaths} {backoff.until:.3f} {backoff.last}\n")

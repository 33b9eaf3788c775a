"""Not starting again and again what dies at once: a doubling delay per group.

All times here are counted since boot: a wall clock that is set must neither forgive a death nor stretch a delay.
"""

from __future__ import annotations

import os

from cronq.host.process import boot_id, start_of
from cronq.host.state_dir import read_text, replace_text
from cronq.namedtuple import NamedTuple
from cronq.supervisor.slots import CONSUMING, LEFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.supervisor.slots import Seen, SlotNote

YOUNG_S = 10.0
LONGEST_S = 3600.0


class Backoff(NamedTuple):
    """How many young deaths a group had in a row, until when (monotonic seconds) none is started, and who died last.

    `last` is when the process of the last of the dead was started, in clock ticks since the boot that `boot` names.
    """

    deaths: int = 0
    until: float = 0.0
    last: int = 0
    boot: str = ""

    def holds(self, monotonic: float) -> bool:
        """Tell whether nothing may be started yet."""
        return monotonic < self.until


def judge(before: Backoff, slots: Sequence[Seen], interval_s: float, monotonic: float) -> Backoff:
    """Return a group's back-off after a look at its slots: longer by a new young death, gone with a sound life.

    Whoever lived before the last boot is not looked at: the boot ended it.
    """
    new = [(seen, seen.note) for seen in slots if seen.note is not None and _is_later(seen.note, before)]
    young = [note for seen, note in new if _died_young(seen, note)]
    if young:
        last = max(note.holder.started for note in young)
        if not before.deaths and all(_was_at_rest(note) for note in young):
            return Backoff(1, 0.0, last, before.boot)
        return _after_death(before, last, interval_s, monotonic)
    if before.deaths and any(_is_sound(seen, note) for seen, note in new):
        return before._replace(deaths=0, until=0.0)
    return before


def _is_later(note: SlotNote, before: Backoff) -> bool:
    return note.holder.boot == before.boot and note.holder.started > before.last


def _after_death(before: Backoff, started: int, interval_s: float, monotonic: float) -> Backoff:
    """Return the next longer back-off.

    The delay ends half an interval before a tick, so that the tick itself need not come on the dot:
    the first death waits for the next tick, the second skips one, then three, seven, ... at most an hour.
    """
    delay = interval_s * (2.0 ** min(before.deaths, 12) - 0.5)
    return Backoff(before.deaths + 1, monotonic + min(delay, LONGEST_S), started, before.boot)


def _died_young(seen: Seen, note: SlotNote) -> bool:
    """Gone without having said goodbye, before it consumed anything or within seconds of its start."""
    if seen.is_live or note.state == LEFT:
        return False
    if _was_at_rest(note):
        return note.position == 0  # it had not come to rest before, and looked at its queues once at most
    return note.state != CONSUMING or note.since - note.begun < YOUNG_S


def _was_at_rest(note: SlotNote) -> bool:
    """Tell whether it waited for messages when it died. Nothing dies of that: somebody killed it.

    So the first such death in a row delays nothing; hosts that kill all that is idle are not asked again and again.
    """
    return note.state == CONSUMING and note.is_idle


def _is_sound(seen: Seen, note: SlotNote) -> bool:
    return note.state == LEFT or (seen.live_note is not None and note.state == CONSUMING)


def add_death(path: str, interval_s: float, monotonic: float) -> None:
    """Count this process, which ends before it may write its end into a slot: it could not start."""
    write(path, _after_death(read(path), start_of(os.getpid()) or 0, interval_s, monotonic))


def read(path: str) -> Backoff:
    """Return what is remembered of a group: nothing when the file is missing or cut off, no delay after a boot."""
    boot = boot_id()
    try:
        deaths, until, last, of_boot = (read_text(path) or "").split()
        known = Backoff(int(deaths), float(until), int(last), of_boot)
    except ValueError:
        return Backoff(boot=boot)
    return known if of_boot == boot else Backoff(known.deaths, boot=boot)


def write(path: str, backoff: Backoff) -> None:
    replace_text(path, f"{backoff.deaths} {backoff.until:.3f} {backoff.last} {backoff.boot}\n")

"""Taking back what dead consumers had reserved: at the next tick, not after a timeout."""

from __future__ import annotations

from cronq.events import emit
from cronq.host.process import boot_id, host_name, runs
from cronq.messages.attempts import HOST_GONE, HOST_RESTARTED, TIMED_OUT, Cause
from cronq.messages.holder import Holder
from cronq.namedtuple import NamedTuple
from cronq.supervisor.slots import Seen
from cronq.transports.exchange import Evidence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cronq.supervisor.slots import Slot, SlotNote
    from cronq.transports.abilities.queues import Queues
    from cronq.transports.exchange import Held

INLINE = "inline."


class Dead(NamedTuple):
    """A holder that is no more, with what is known about its end."""

    held: Held
    evidence: Evidence


def find_dead(held: Sequence[Held], slots: Mapping[str, Seen], now: float, overdue: Collection[str] = ()) -> list[Dead]:
    """Return the holders among `held` that are dead. `overdue` are those that a tick has told to end.

    The reservations must have been read before the slots: whoever had reserved something then held its slot then,
    so a slot that is free, or another's, afterwards proves that the holder is gone.
    """
    host, boot = host_name(), boot_id()
    dead = []
    for one in held:
        holder = _parsed(one.holder)
        if holder is None or holder.host != host:
            if one.until <= now:
                dead.append(Dead(one, _lapsed(one, holder)))
        elif not _lives(holder, slots.get(holder.slot)):
            dead.append(Dead(one, _evidence(holder, slots.get(holder.slot), boot, overdue)))
    return dead


def _parsed(text: str) -> Holder | None:
    try:
        return Holder.parse(text)
    except ValueError:
        return None


def _lapsed(held: Held, holder: Holder | None) -> Evidence:
    if holder is None:
        return Evidence(f"unknown holder {held.holder!r}")
    return Evidence(f"host {holder.host} let the reservation lapse", error_class=HOST_GONE)


def _lives(holder: Holder, seen: Seen | None) -> bool:
    """Tell whether the holder is still at work.

    Whom a held slot's note names, holds it: pids are not asked, a cage (PID namespace) numbers processes anew. If
    somebody else has just taken the slot, the messages are safe too: that one rescues them before it writes its note.
    A consumer lives while it runs, even without its slot: a removed slot file must not double its work; unless it has
    noted that it left, for its process ends later than its successor overwrites that note. A web process outlives its
    inline work, so there only the slot counts; one without a note is held by another thread of ours, whose file stays
    unread.
    """
    note = _noted_by(holder, seen)
    if seen is not None and note is not None and (seen.is_live or note.has_left):
        return seen.is_live
    if not holder.slot.startswith(INLINE):
        return runs(holder)
    return seen is not None and seen.pid == holder.pid and seen.note is None and runs(holder)


def _noted_by(holder: Holder, seen: Seen | None) -> SlotNote | None:
    """Return what the slot's file says, if it was the holder who wrote it."""
    return seen.note if seen is not None and seen.note is not None and seen.note.holder == holder else None


def strays(held: Sequence[Held], slots: Mapping[str, Seen]) -> list[str]:
    """Return the slots of this host's consumers that are at work without holding them: their file was removed.

    They leave after their message. Until then each is one of its group's consumers, though its slot looks free.
    """
    here, found = host_name(), []
    for one in held:
        try:
            holder = Holder.parse(one.holder)
        except ValueError:
            continue
        if holder.host != here or holder.slot.startswith(INLINE) or _holds_slot(holder, slots.get(holder.slot)):
            continue
        if _lives(holder, slots.get(holder.slot)):
            found.append(holder.slot)
    return found


def _holds_slot(holder: Holder, seen: Seen | None) -> bool:
    if seen is None or not seen.is_live:
        return False
    return seen.pid == holder.pid or _noted_by(holder, seen) is not None


def _evidence(holder: Holder, seen: Seen | None, boot: str, overdue: Collection[str]) -> Evidence:
    """Return what is known of a dead holder's messages, and of the cause of its death."""
    note = _noted_by(holder, seen)
    cause = _cause(holder, note, boot, overdue)
    if note is None:
        return Evidence(cause.text, error_class=cause.error_class)
    return note.evidence(cause.text, boot, cause.error_class)


def _cause(holder: Holder, note: SlotNote | None, boot: str, overdue: Collection[str]) -> Cause:
    who = f"consumer {holder.slot} (pid {holder.pid})"
    if holder.boot != boot:
        return Cause(HOST_RESTARTED, f"the host was restarted while {who} ran it")
    if str(holder) in overdue:
        text = f"{who} was ended by the tick: its message ran past its timeout, and it did not react"
        return Cause(TIMED_OUT, text)
    from cronq.host.control_group import oom_kills
    from cronq.messages.causes import Memory, of_silent_death

    if note is None:
        return of_silent_death(who, Memory())
    limits = () if not note.limit_mb else (note.limit_mb,)
    kills = oom_kills(note.memory_group) - note.oom_kills if note.memory_group else 0
    return of_silent_death(who, Memory(note.used_mb, limits, kills))


def left_behind(held: Sequence[Held], slot: Slot, now: float, overdue: Collection[str] = ()) -> list[Dead]:
    """Return which of `held` an earlier holder of `slot` left behind, judged by its note, before we overwrite that.

    We hold the slot, so whoever held it before does not.
    """
    earlier = [one for one in held if f"/{slot.name}/" in one.holder and one.holder != slot.holder]
    return find_dead(earlier, {slot.name: Seen(slot.name, None, slot.previous)}, now, overdue) if earlier else []


def rescue(transport: Queues, dead: Sequence[Dead]) -> None:
    """Take the messages of the dead back."""
    for one in dead:
        rescued = transport.rescue(one.held.holder, one.evidence)
        if any(rescued):
            emit("rescued", holder=one.held.holder, cause=one.evidence.cause, **rescued._asdict())

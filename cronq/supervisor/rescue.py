"""Taking back what dead consumers had reserved: at the next tick, not after a timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cronq.events import emit
from cronq.holder import Holder
from cronq.host.process import boot_id, host_name, runs
from cronq.supervisor.slots import Seen
from cronq.transports.base import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.supervisor.slots import Slot
    from cronq.transports.base import Held, Transport

INLINE = "inline."


class Dead(NamedTuple):
    """A holder that is no more, with what is known about its end."""

    held: Held
    evidence: Evidence


def find_dead(held: Sequence[Held], slots: Mapping[str, Seen], now: float) -> list[Dead]:
    """Return the holders among `held` that are dead.

    The reservations must have been read before the slots: whoever had reserved something then held its slot then,
    so a slot that is free, or another's, afterwards proves that the holder is gone.
    """
    host, boot = host_name(), boot_id()
    dead = (_judge(one, slots, host, boot, now) for one in held)
    return [one for one in dead if one is not None]


def _judge(held: Held, slots: Mapping[str, Seen], host: str, boot: str, now: float) -> Dead | None:
    try:
        holder = Holder.parse(held.holder)
    except ValueError:
        return Dead(held, Evidence(f"unknown holder {held.holder!r}")) if held.until <= now else None
    if holder.host != host:
        return Dead(held, Evidence(f"host {holder.host} let the reservation lapse")) if held.until <= now else None
    seen = slots.get(holder.slot)
    if _lives(holder, seen):
        return None
    cause = _cause(holder, boot)
    if seen is not None and seen.note is not None and seen.note.holder == holder:
        return Dead(held, seen.note.evidence(cause, boot))
    return Dead(held, Evidence(cause))


def _lives(holder: Holder, seen: Seen | None) -> bool:
    """Tell whether the holder is still at work.

    Whom a held slot's note names, holds it: pids are not asked, a cage (PID namespace) numbers processes anew. If
    somebody else has just taken the slot, the messages are safe too: that one rescues them before it writes its note.
    A consumer lives while it runs, even without its slot: a removed slot file must not double its work. A web process
    outlives its inline work, so there only the slot counts; one without a note is held by another thread of ours,
    whose file stays unread.
    """
    if seen is not None and seen.is_live and seen.note is not None and seen.note.holder == holder:
        return True
    if not holder.slot.startswith(INLINE):
        return runs(holder)
    return seen is not None and seen.pid == holder.pid and seen.note is None and runs(holder)


def _cause(holder: Holder, boot: str) -> str:
    if holder.boot != boot:
        return f"the host was restarted while consumer {holder.slot} (pid {holder.pid}) ran it"
    return f"consumer {holder.slot} (pid {holder.pid}) died while running it: killed, out of memory, or crashed"


def left_behind(held: Sequence[Held], slot: Slot, now: float) -> list[Dead]:
    """Return which of `held` an earlier holder of `slot` left behind, judged by its note, before we overwrite that.

    We hold the slot, so whoever held it before does not.
    """
    earlier = [one for one in held if f"/{slot.name}/" in one.holder and one.holder != slot.holder]
    return find_dead(earlier, {slot.name: Seen(slot.name, None, slot.previous)}, now) if earlier else []


def rescue(transport: Transport, dead: Sequence[Dead]) -> None:
    """Take the messages of the dead back."""
    for one in dead:
        rescued = transport.rescue(one.held.holder, one.evidence)
        if any(rescued):
            emit("rescued", holder=one.held.holder, cause=one.evidence.cause, **rescued._asdict())

"""What live consumers do, as plain values."""

from __future__ import annotations

from cronq.messages.own_headers import label_of
from cronq.namedtuple import NamedTuple
from cronq.supervisor.slots import CONSUMING, STARTING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.clock import Clock
    from cronq.messages.message import Message
    from cronq.supervisor.slots import Seen, SlotNote

    HeldAt = Callable[[str, int], Message | None]


class Running(NamedTuple):
    """The message that a consumer runs: its task and id, how it is called in lists, since when (wall seconds)."""

    task: str
    id: str
    label: str | None
    since: float


class Worker(NamedTuple):
    """One live consumer: `starting`, `idle`, or `busy` with one message for `busy_s`.

    `running` is that message; None as well where it has just ended, or where nobody can be asked for it.
    """

    slot: str
    pid: int
    doing: str
    busy_s: float | None
    alive_s: float | None
    ends_in_s: float | None
    memory_mb: float | None
    running: Running | None = None


def worker(seen: Seen, clock: Clock, held_at: HeldAt) -> Worker:
    """Return what the live consumer in a slot does. `held_at` is the transport's."""
    pid, note = seen.pid or 0, seen.live_note
    memory = _memory_mb(pid)
    if note is None:
        return Worker(seen.name, pid, STARTING, None, None, None, memory)
    idle_word = "idle" if note.state == CONSUMING else STARTING
    busy_s = None if note.is_idle else max(0.0, clock.monotonic() - note.since)
    return Worker(
        slot=seen.name,
        pid=pid,
        doing=idle_word if note.is_idle else "busy",
        busy_s=busy_s,
        alive_s=max(0.0, clock.monotonic() - note.begun),
        ends_in_s=note.deadline - clock.monotonic() if note.deadline else None,
        memory_mb=memory,
        running=None if busy_s is None else _running(note, clock.now() - busy_s, held_at),
    )


def _running(note: SlotNote, since: float, held_at: HeldAt) -> Running | None:
    """The note says which of its holder's reservations runs; the transport, which message that is."""
    message = held_at(str(note.holder), note.position)
    return None if message is None else Running(message.task, message.id, label_of(message) or None, since)


def _memory_mb(pid: int) -> float | None:
    import psutil  # 15 ms that the tick does not pay

    try:
        return float(psutil.Process(pid).memory_info().rss) / 1048576
    except psutil.Error:
        return None

"""Slots: the right to be one of a group's consumers, a pidfile under a kernel lock held for life."""

from __future__ import annotations

import os
import time
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from cronq.errors import StateDirError
from cronq.holder import Holder
from cronq.host import locks
from cronq.host.process import identity
from cronq.transports.base import Evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.host.state_dir import StateDir

STARTING, CONSUMING, LEFT, BROKEN = "starting", "consuming", "left", "broken"

_NOTE = b"%020d %020.3f %020.3f\n"  # position, wall time since when it runs (0: idle), monotonic time it must end by
_NOTE_LENGTH = 63


_turns = count()  # slots that this process has taken


class SlotNote(NamedTuple):
    """What a slot's file says. `deadline` and `must_end` are monotonic seconds (0: none), `begun_at` wall seconds."""

    holder: Holder
    state: str
    queues: tuple[str, ...]
    begun_at: float
    deadline: float
    position: int = 0
    since: float = 0.0
    must_end: float = 0.0
    reason: str = ""

    @property
    def is_idle(self) -> bool:
        return self.since == 0

    def evidence(self, cause: str, boot: str) -> Evidence:
        """Return what this note proves about the messages of its dead writer."""
        running = None if self.is_idle else self.position
        return Evidence(cause, self.position, running, certain=self.holder.boot == boot)


class Seen(NamedTuple):
    """One slot as the supervisor sees it: who holds its lock, if anybody, and the last thing written into it."""

    name: str
    pid: int | None
    note: SlotNote | None

    @property
    def group(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def is_inline(self) -> bool:
        return self.group == "inline"

    @property
    def is_live(self) -> bool:
        return self.pid is not None

    @property
    def live_note(self) -> SlotNote | None:
        """The note, if it was written by the process that holds the slot now."""
        return self.note if self.note is not None and self.note.holder.pid == self.pid else None


class Slot:
    """A slot that this process holds. It is the consumer's Post."""

    def __init__(self, name: str, lock: locks.Lock) -> None:
        self.name = name
        self.identity = identity(name, next(_turns))
        self.holder = str(self.identity)
        self.previous = _parse(os.pread(lock.descriptor, 4096, 0))
        self.seat: locks.Lock | None = None
        self._lock = lock
        self._note = SlotNote(self.identity, STARTING, (), time.time(), 0.0)
        self._has_begun = False

    @property
    def number(self) -> int:
        return int(self.name.rpartition(".")[2])

    def begin(self, queues: Sequence[str], deadline: float, state: str = STARTING) -> None:
        """Write who is here. Only after the messages of `previous` are rescued: this overwrites its note."""
        self._note = self._note._replace(queues=tuple(queues), deadline=deadline, state=state)
        self._has_begun = True
        self._write()

    def leave(self, reason: str, state: str = LEFT) -> None:
        """Write why the holder goes (of its own will, or BROKEN), and let go of the slot.

        Who has not begun writes nothing: the messages that the last holder's note tells of may still be reserved.
        """
        if self._has_begun:
            self._note = self._note._replace(state=state, reason=reason.replace("\n", " ")[:500])
            self._write()
        self.release()

    def release(self) -> None:
        """Let go of the slot, and before it of the account's seat, so that whoever waits here finds a seat free."""
        if self.seat is not None:
            self.seat.release()
        self._lock.release()

    def note(self, position: int, must_end: float | None = None) -> None:
        os.pwrite(self._lock.descriptor, _NOTE % (position, time.time(), must_end or 0), 0)

    def note_idle(self, position: int) -> None:
        os.pwrite(self._lock.descriptor, _NOTE % (position, 0, 0), 0)

    def reason_to_leave(self) -> str | None:
        """Say so when the slot was lost: its file removed or replaced, or its lock taken by another."""
        for lock in (self._lock, self.seat):
            if lock is None:
                continue
            if not lock.is_in_place():
                return f"{lock.path} was removed or replaced"
            if not lock.hold_on():
                return f"{lock.path} was lost to another process: a task here has opened and closed that file"
        return None

    def _write(self) -> None:
        note = self._note
        lines = [
            f"pid {note.holder.pid}",
            f"holder {note.holder}",
            f"state {note.state}",
            f"queues {' '.join(note.queues)}",
            f"begun_at {note.begun_at:.3f}",
            f"deadline {note.deadline:.3f}",
            f"reason {note.reason}",
        ]
        tail = ("\n".join(lines) + "\n").encode()
        head = os.pread(self._lock.descriptor, _NOTE_LENGTH, 0) if note.state != STARTING else _NOTE % (0, 0, 0)
        os.pwrite(self._lock.descriptor, head + tail, 0)
        os.ftruncate(self._lock.descriptor, len(head) + len(tail))


def take(state: StateDir, group: str, count: int) -> Slot | None:
    """Take the first free of a group's `count` slots; None when all are held."""
    for number in range(count):
        name = f"{group}.{number}"
        lock = locks.take(state.slot(name))
        if lock is not None:
            return Slot(name, lock)
    return None


def wait_for(state: StateDir, name: str) -> Slot:
    """Take a slot as soon as its holder lets go."""
    return Slot(name, locks.wait(state.slot(name)))


def survey(state: StateDir) -> list[Seen]:
    """Look at every slot there is, in order of name; nobody is disturbed."""
    try:
        files = os.listdir(state.run)
    except FileNotFoundError:
        return []
    names = sorted(name.removesuffix(".pid") for name in files if name.endswith(".pid"))
    return [see(state, name) for name in names]


def see(state: StateDir, name: str) -> Seen:
    """Look at one slot."""
    path = state.slot(name)
    try:
        pid, content = locks.look(path)
        return Seen(name, pid, _parse(content))
    except OSError as error:
        raise StateDirError(f"{path}: {error.strerror}: cronq's own file cannot be read; remove it") from error


def _parse(content: bytes) -> SlotNote | None:
    """Read a slot's file; None for an empty, foreign or cut-off one."""
    head, _, tail = content.partition(b"\n")
    fields = dict(line.partition(" ")[::2] for line in tail.decode(errors="replace").splitlines())
    try:
        position, since, must_end = head.split()
        return SlotNote(
            Holder.parse(fields["holder"]),
            fields["state"],
            tuple(fields["queues"].split()),
            float(fields["begun_at"]),
            float(fields["deadline"]),
            int(position),
            float(since),
            float(must_end),
            fields.get("reason", ""),
        )
    except (KeyError, ValueError):
        return None

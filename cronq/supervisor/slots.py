"""Slots: the right to be one of a group's consumers, a pidfile under a kernel lock held for life."""

from __future__ import annotations

import os
import time
from itertools import count

from cronq.errors import StateDirError
from cronq.host import locks
from cronq.host.process import identity, memory_mb, runs
from cronq.messages.attempts import KILLED
from cronq.messages.holder import Holder
from cronq.namedtuple import NamedTuple
from cronq.transports.exchange import Evidence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.host.state_dir import StateDir

TIED_UP_S = 1.0  # in one message: whoever runs many short ones is not short of help, but of a second consumer
STARTING, CONSUMING, LEFT, BROKEN = "starting", "consuming", "left", "broken"

# position, monotonic times: since when it runs (0: idle), when it must end; memory last seen in MiB
_NOTE = b"%020d %020.3f %020.3f %09.1f\n"
_NOTE_LENGTH = 73


_turns = count()  # slots that this process has taken


class SlotNote(NamedTuple):
    """What a slot's file says. `begun_at` is wall time, for people; all other times are monotonic seconds: `begun` the
    same moment, `since` the start of the message that runs (0: idle), `deadline` and `must_end` (0: none).

    `used_mb` is the memory last seen by the consumer itself, `limit_mb` what it may have (0: not known), and
    `oom_kills` how often the kernel had killed in its `memory_group` when it began.
    """

    holder: Holder
    state: str
    queues: tuple[str, ...]
    begun_at: float
    deadline: float
    position: int = 0
    since: float = 0.0
    must_end: float = 0.0
    reason: str = ""
    used_mb: float = 0.0
    limit_mb: float = 0.0
    memory_group: str = ""
    oom_kills: int = 0
    begun: float = 0.0

    @property
    def is_idle(self) -> bool:
        return self.since == 0

    @property
    def has_left(self) -> bool:
        """Whether its writer is done with all messages, though its process may take a while to end."""
        return self.state in {LEFT, BROKEN}

    def evidence(self, cause: str, boot: str, error_class: str = KILLED) -> Evidence:
        """Return what this note proves about the messages of its dead writer."""
        running = None if self.is_idle else self.position
        return Evidence(cause, self.position, running, self.holder.boot == boot, error_class)


class Seen(NamedTuple):
    """One slot as the supervisor sees it: who holds its lock, if anybody, and the last thing written into it.

    `is_reused`: whoever wrote the note is gone, and the holder is another process with the same pid.
    """

    name: str
    pid: int | None
    note: SlotNote | None
    is_reused: bool = False

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
        if self.note is None or self.is_reused or self.note.holder.pid != self.pid:
            return None
        return self.note


class Slot:
    """A slot that this process holds. It is the consumer's Post."""

    def __init__(self, name: str, lock: locks.Lock) -> None:
        self.name = name
        self.identity: Holder = identity(name, next(_turns))
        self.holder: str = str(self.identity)
        self.previous: SlotNote | None = _parse(os.pread(lock.descriptor, 4096, 0))
        self.seat: locks.Lock | None = None
        self._lock = lock
        self._note = SlotNote(self.identity, STARTING, (), time.time(), 0.0, begun=time.monotonic())
        self._has_begun = False
        self._used_mb = 0.0

    @property
    def number(self) -> int:
        return int(self.name.rpartition(".")[2])

    def begin(self, queues: Sequence[str], deadline: float, state: str = STARTING) -> None:
        """Write who is here. Only after the messages of `previous` are rescued: this overwrites its note."""
        self._note = self._note._replace(queues=tuple(queues), deadline=deadline, state=state)
        is_first, self._has_begun = not self._has_begun, True
        self._write(is_first)  # what the last holder noted says nothing of our messages

    def bound_memory(self, limit_mb: float | None) -> None:
        """Note with the next `begin` what memory there is: `limit_mb`, or less if the control group has less."""
        from cronq.host import control_group

        group = control_group.own_group()
        limits = [limit for limit in (limit_mb, control_group.limit_mb(group)) if limit is not None]
        self._note = self._note._replace(
            limit_mb=min(limits, default=0.0), memory_group=group, oom_kills=control_group.oom_kills(group)
        )

    def look_at_memory(self) -> float:
        """Return the resident memory of this process in MiB; the next note tells it to whoever comes after a kill."""
        self._used_mb = memory_mb()
        return self._used_mb

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
        os.pwrite(self._lock.descriptor, _NOTE % (position, time.monotonic(), must_end or 0, self._used_mb), 0)

    def note_idle(self, position: int) -> None:
        os.pwrite(self._lock.descriptor, _NOTE % (position, 0, 0, self._used_mb), 0)

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

    def _write(self, is_first: bool = False) -> None:
        note = self._note
        lines = [
            f"pid {note.holder.pid}",
            f"holder {note.holder}",
            f"state {note.state}",
            f"queues {' '.join(note.queues)}",
            f"begun_at {note.begun_at:.3f}",
            f"begun {note.begun:.3f}",
            f"deadline {note.deadline:.3f}",
            f"limit_mb {note.limit_mb:.0f}",
            f"memory_group {note.memory_group}",
            f"oom_kills {note.oom_kills}",
            f"reason {note.reason}",
        ]
        tail = ("\n".join(lines) + "\n").encode()
        head = _NOTE % (0, 0, 0, 0) if is_first else os.pread(self._lock.descriptor, _NOTE_LENGTH, 0)
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


def of_others(seen: Sequence[Seen]) -> list[Seen]:
    """Return the slots that this process does not hold."""
    return [one for one in seen if one.pid != os.getpid()]


def see(state: StateDir, name: str) -> Seen:
    """Look at one slot."""
    path = state.slot(name)
    try:
        pid, content = locks.look(path)
        note = _parse(content)
        return Seen(name, pid, note, note is not None and note.holder.pid == pid and not runs(note.holder))
    except OSError as error:
        raise StateDirError(f"{path}: {error.strerror}: cronq's own file cannot be read; remove it") from error


def _parse(content: bytes) -> SlotNote | None:
    """Read a slot's file; None for an empty, foreign or cut-off one."""
    head, _, tail = content.partition(b"\n")
    fields = dict(line.partition(" ")[::2] for line in tail.decode(errors="replace").splitlines())
    try:
        position, since, must_end, *used = head.split()  # consumers of an older release note no memory
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
            float(used[0]) if used else 0.0,
            float(fields.get("limit_mb", 0)),
            fields.get("memory_group", ""),
            int(fields.get("oom_kills", 0)),
            float(fields.get("begun", 0)),
        )
    except (KeyError, ValueError):
        return None

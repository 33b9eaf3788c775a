"""Which process is which: pid, start and boot together name one process for ever."""

from __future__ import annotations

import errno
import os
import select
import sys

from cronq.messages.holder import Holder, machine_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

PRESSURE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
"""Errors that mean "the host has no room now": back off and try again later. They are not faults."""
HAS_OWNERS: bool = hasattr(os, "geteuid")
"""Whether files have owners and modes that mean something. Not on Windows, where a profile is its user's own."""
HAS_CONSUMERS: bool = hasattr(os, "fork") and hasattr(select, "epoll")
"""Whether consumers can live here: on Linux."""
_PF_EXITING = 0x4  # linux/sched.h


def identity(slot: str, turn: int = 0) -> Holder:
    """Return who this process is while it works in `slot`, for the `turn`-th time that it works in one."""
    pid = os.getpid()
    return Holder(host_name(), slot, pid, start_of(pid) or 0, boot_id(), turn)


def host_name() -> str:
    """Return the host's name, made safe for use between slashes."""
    return machine_name().replace("/", "_") or "localhost"


def boot_id() -> str:
    """Return 8 digits that change with every boot: the head of the kernel's random boot id (random(4))."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read(8)
    except OSError:
        return "unknown"


def start_of(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot (proc(5), stat field 22); None when it is gone.

    A zombie counts as gone: it runs no more, it only waits to be reaped. So does one that is about to become one: the
    kernel frees its locks a little earlier, and who waited for them looks at once.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    is_gone = fields[0] in {b"Z", b"X"} or int(fields[6]) & _PF_EXITING
    return None if is_gone else int(fields[19])


def runs(holder: Holder) -> bool:
    """Tell whether the very process that `holder` names is running on this host now."""
    return holder.boot == boot_id() and start_of(holder.pid) == holder.started


def send(holder: Holder, signal_number: signal.Signals) -> bool:
    """Signal the process that `holder` names, unless it is gone and a stranger may have its pid. Tell whether sent."""
    if not runs(holder):
        return False
    try:
        os.kill(holder.pid, signal_number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def memory_mb(pid: int | None = None) -> float:
    """Return the resident memory of a process (None: this one) in MiB (proc(5), statm); 0 when it is gone."""
    try:
        with open(f"/proc/{pid or 'self'}/statm", "rb") as file:
            pages = int(file.read().split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGESIZE") / 1048576


def peak_mb() -> float:
    """Return the most resident memory that this process has had in its life, in MiB (getrusage(2)); 0 when unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    per_mb = 1048576 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb


def own_name() -> str:
    """Return the name of the user whom this process works for."""
    return user_name(os.geteuid()) if HAS_OWNERS else "this user"


def user_name(uid: int) -> str:
    """Return the name of a user, or `uid 1000` for one who has none here."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"

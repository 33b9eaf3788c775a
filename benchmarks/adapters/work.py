"""What the messages of every contestant do. Runs in the contestant's worker; standard library only."""

from __future__ import annotations

import os
import time

_DIRECTORY = os.environ.get("BENCH_DIR", ".")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def noop() -> None:
    """Do nothing: what is left is the price of the queue."""


def mark() -> None:
    """Note when this began, the CPU seconds of all processes of this worker so far, and when it ended."""
    began = time.monotonic()
    used = cpu_s(os.getsid(0))
    _append("marks", f"{began:.6f} {used:.2f} {time.monotonic():.6f}")


def stamp(enqueued_at: float) -> None:
    """Note how long this took from enqueue to here."""
    _append("stamps", f"{time.monotonic() - enqueued_at:.6f}")


def hang() -> None:
    """Note the start and, the first time, never end."""
    path = os.path.join(_DIRECTORY, "starts")
    is_first = not os.path.exists(path)
    _append("starts", f"{time.monotonic():.6f}")
    while is_first:
        time.sleep(60)


def spin() -> None:
    """Be busy for 5 ms."""
    until = time.perf_counter() + 0.005
    while time.perf_counter() < until:
        pass


def tally(producer: int, number: int) -> None:
    """Note that this message ran, and when."""
    _append("tallies", f"{producer}:{number} {time.monotonic():.6f}")


ALL = (noop, mark, stamp, hang, spin, tally)


def cpu_s(session: int) -> float:
    """Return the CPU seconds of a session's processes and of their ended children (proc(5); ticks of 10 ms)."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            fields = _stat(entry)
            if len(fields) > 14 and int(fields[3]) == session:
                total += sum(map(int, fields[11:15]))
    return total / _TICKS_PER_S


def _stat(pid: str) -> list[str]:
    """Return the fields of /proc/PID/stat from the state on; none when the process has gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def _append(name: str, line: str) -> None:
    descriptor = os.open(os.path.join(_DIRECTORY, name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)

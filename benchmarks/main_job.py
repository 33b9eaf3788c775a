"""What the main job costs on this machine: tick, spawn, latency, idle consumer, WSGI hook, import.

Usage: python benchmarks/main_job.py [--idle-s 30] [--rounds 31]
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from project import consumes, environment, project, tick_command, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FLOOR = [sys.executable, "-c", "pass"]
FOUR_GROUPS = "".join(
    f'[[consumers]]\nname = "{name}"\nqueues = ["{name}"]\nautoscale = {{ min = 1, max = 1 }}\n'
    for name in ("high", "normal", "low", "mail")
)


class Cost(NamedTuple):
    wall_ms: float
    cpu_ms: float
    rss_mb: float


def run_once(argv: Sequence[str], env: dict[str, str]) -> Cost:
    """Run a command through a small shell-free helper, so that its peak memory is its own."""
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{argv} ended with status {status}")
    wall = time.perf_counter() - began
    return Cost(1e3 * wall, 1e3 * (usage.ru_utime + usage.ru_stime), usage.ru_maxrss / 1024)


def interleaved(commands: dict[str, Sequence[str]], env: dict[str, str], rounds: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, argv in commands.items():
            costs[name].append(run_once(argv, env))
    return costs


def show(what: str, figure: str, bound: str, holds: bool) -> None:
    print(f"{'ok  ' if holds else 'MISS'}  {what:<52} {figure:<40} {bound}", flush=True)


def spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def idle_tick(rounds: int) -> None:
    with project() as path:
        env = environment(path)
        run_once(tick_command(path), env)
        wait_until(lambda: consumes(path, "standby.0"))
        commands = {"floor": FLOOR, "tick": tick_command(path), "import": [sys.executable, "-c", "import cronq"]}
        costs = interleaved(commands, env, rounds)
    for name in ("wall_ms", "cpu_ms"):
        floor, tick = (median(getattr(cost, name) for cost in costs[key]) for key in ("floor", "tick"))
        values = spread([getattr(cost, name) for cost in costs["tick"]])
        show(f"idle tick, {name}", f"{tick / floor:.2f} x floor: {values}", "at most 4 x", tick / floor <= 4)
    rss = max(cost.rss_mb for cost in costs["tick"])
    show("idle tick, peak memory", f"{rss:.1f} MB", "at most 18 MB", rss <= 18)
    wall = median(cost.wall_ms for cost in costs["import"])
    show("python -c 'import cronq'", f"{wall:.1f} ms", "at most 60 ms", wall <= 60)


def spawning_tick(rounds: int) -> None:
    spawning, idle = [], []
    for _ in range(max(3, rounds // 5)):
        with project(FOUR_GROUPS) as path:
            env = environment(path)
            make_database = [*tick_command(path), "--dry-run"]
            subprocess.run(make_database, env=env, check=True, stdout=subprocess.DEVNULL)
            spawning.append(run_once(tick_command(path), env).wall_ms)
            wait_until(lambda path=path: consumes(path, "high.0", "normal.0", "low.0", "mail.0"))
            idle.append(run_once(tick_command(path), env).wall_ms)
    extra = median(spawning) - median(idle)
    show("tick that spawns 4 consumers, beyond the idle tick", f"{extra:.1f} ms", "at most 300 ms", extra <= 300)


def latency(messages: int = 300) -> None:
    with project() as path:
        tasks = import_tasks(path)
        run_once(tick_command(path), environment(path))
        wait_until(lambda: consumes(path, "standby.0"))
        starts = path / "starts"
        starts.touch()
        for number in range(messages + 20):
            tasks.note_start.enqueue(time.monotonic())
            wait_until(lambda number=number: len(starts.read_text().splitlines()) > number)
        found = sorted(1e3 * float(line) for line in starts.read_text().splitlines()[20:])
    p50, p99 = found[len(found) // 2], found[int(len(found) * 0.99)]
    show("enqueue to handler start, idle consumer, p50", f"{p50:.2f} ms", "at most 1 ms", p50 <= 1)
    show("enqueue to handler start, idle consumer, p99", f"{p99:.2f} ms", "at most 10 ms", p99 <= 10)


def idle_consumer(seconds: float) -> None:
    with project() as path:
        run_once(tick_command(path), environment(path))
        note = path / ".cronq/run/standby.0.pid"
        wait_until(lambda: consumes(path, "standby.0"))
        pid = int(note.read_text().split("pid ")[1].split()[0])
        before = cpu_seconds(pid)
        time.sleep(seconds)
        used = (cpu_seconds(pid) - before) * 30 / seconds
        rss = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    show("idle consumer, CPU in 30 s", f"{used:.3f} s (clock ticks of 10 ms)", "at most 0.02 s", used <= 0.02)
    print(f"      idle consumer, resident memory: {int(rss.split()[1]) / 1024:.1f} MB")


def cpu_seconds(pid: int) -> float:
    """CPU time of a process from the scheduler's own nanoseconds (/proc/PID/schedstat), finer than clock ticks."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def hook(requests: int = 200_000) -> None:
    with project() as path:
        tasks = import_tasks(path)
        run_once(tick_command(path), environment(path))
        wait_until(lambda: all((path / f".cronq/alive/{name}").exists() for name in ("high", "normal", "low")))
        from wsgi_hooks import CronqMiddleware

        def application(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
            start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "2")])
            return [b"ok"]

        plain = [serve(application, requests // 5) for _ in range(5)]
        hooked = [serve(CronqMiddleware(application, tasks.app), requests // 5) for _ in range(5)]
    cost = min(hooked) - min(plain)
    show("WSGI hook while consumers live", f"{cost:.2f} us per request", "at most 5 us", cost <= 5)


def serve(application: Callable[..., object], requests: int) -> float:
    """Serve requests as a server does, without the network; return microseconds per request."""
    environ = {"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.multithread": False}

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        pass

    began = time.perf_counter()
    for _ in range(requests):
        body = application(dict(environ), start_response)
        for _chunk in body:  # type: ignore[attr-defined]
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
    return 1e6 * (time.perf_counter() - began) / requests


def import_tasks(path: Path) -> object:
    sys.path.insert(0, str(path))
    sys.modules.pop("tasks", None)
    try:
        return importlib.import_module("tasks")
    finally:
        sys.path.remove(str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle-s", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=31)
    given = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    idle_tick(given.rounds)
    spawning_tick(given.rounds)
    latency()
    hook()
    idle_consumer(given.idle_s)


if __name__ == "__main__":
    main()

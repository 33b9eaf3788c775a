"""Drives one contestant from inside its own virtual environment: `python drive.py ADAPTER COMMAND [NUMBER...]`.

An adapter is a module of this directory that follows its project's own documentation. It has

- `prepare()`: make the queue, empty;
- `enqueue(name, *args)`: one call of a function of `work`, with its own commit or round trip;
- `bulk(count)`: so many calls of `work.noop` by the documented way for many; left out when there is none;
- `WORKER`: the command of one worker with the project's defaults;
- `VERSIONS`: the packages whose versions are shown.

Prints one JSON object. Standard library only.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import time
from importlib import metadata
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Adapter(Protocol):
    """What a module of this directory has. `bulk` may be missing, which is asked before it is called."""

    VERSIONS: Sequence[str]
    WORKER: list[str]

    def prepare(self) -> None: ...

    def enqueue(self, name: str, *args: object) -> None: ...

    def bulk(self, count: int) -> None: ...


def main() -> None:
    name, command, *numbers = sys.argv[1:]
    adapter = importlib.import_module(name)
    answer = COMMANDS[command](adapter, *map(int, numbers))
    sys.stdout.write(json.dumps(answer) + "\n")


def prepare(adapter: Adapter) -> dict[str, object]:
    adapter.prepare()
    return {"versions": {package: metadata.version(package) for package in adapter.VERSIONS}}


def worker(adapter: Adapter) -> None:
    os.execv(adapter.WORKER[0], adapter.WORKER)  # noqa: S606


def enqueue(adapter: Adapter, at_most_ms: int) -> dict[str, object]:
    """Enqueue one by one for so long; the first ones, which open files and connections, are not counted."""
    for _ in range(5):
        adapter.enqueue("noop")

    def loop() -> int:
        count, ends_at = 0, time.perf_counter() + at_most_ms / 1e3
        while time.perf_counter() < ends_at:
            for _ in range(10):
                adapter.enqueue("noop")
            count += 10
        return count

    return _timed(loop)


def bulk(adapter: Adapter, count: int) -> dict[str, object]:
    if not hasattr(adapter, "bulk"):
        return {"count": 0, "wall_s": 0.0, "cpu_s": 0.0}
    adapter.enqueue("noop")

    def loop() -> int:
        adapter.bulk(count)
        return count

    return _timed(loop)


def backlog(adapter: Adapter, count: int) -> dict[str, object]:
    """Enqueue a mark, so many no-ops and a mark, for a worker that is started later."""
    adapter.enqueue("mark")
    if hasattr(adapter, "bulk"):
        adapter.bulk(count)
    else:
        for _ in range(count):
            adapter.enqueue("noop")
    adapter.enqueue("mark")
    return {"count": count}


def spins(adapter: Adapter, count: int) -> dict[str, object]:
    """As backlog, with messages of 5 ms."""
    for name in ["mark", *["spin"] * count, "mark"]:
        adapter.enqueue(name)
    return {"count": count}


def one(adapter: Adapter) -> dict[str, object]:
    adapter.enqueue("mark")
    return {}


def tallies(adapter: Adapter, producer: int, count: int) -> dict[str, object]:
    longest_s, first_at = 0.0, time.monotonic()
    for number in range(count):
        began = time.perf_counter()
        adapter.enqueue("tally", producer, number)
        longest_s = max(longest_s, time.perf_counter() - began)
    return {"longest_ms": 1e3 * longest_s, "first_at": first_at}


def hang(adapter: Adapter) -> dict[str, object]:
    adapter.enqueue("hang")
    return {}


def latency(adapter: Adapter, at_most: int, at_most_s: int, rest_ms: int) -> dict[str, object]:
    """Enqueue one message after the other to an idle worker: the next one to four rests after the last has run."""
    path = os.path.join(os.environ["BENCH_DIR"], "stamps")
    open(path, "a").close()
    ends_at, enqueue_ms = time.monotonic() + at_most_s, []
    for number in range(at_most):
        called_at = time.monotonic()
        if called_at > ends_at:
            break
        adapter.enqueue("stamp", called_at)
        enqueue_ms.append(1e3 * (time.monotonic() - called_at))
        while _lines(path) <= number and time.monotonic() < ends_at:
            time.sleep(rest_ms / 5e3)
        time.sleep(random.uniform(rest_ms, 4 * rest_ms) / 1e3)
    with open(path) as file:
        return {"ms": [1e3 * float(line) for line in file][3:], "enqueue_ms": enqueue_ms[3:]}


def _lines(path: str) -> int:
    with open(path, "rb") as file:
        return file.read().count(b"\n")


def _timed(action: Callable[[], int]) -> dict[str, object]:
    wall, cpu = time.perf_counter(), time.process_time()
    count = action()
    return {"count": count, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


COMMANDS: dict[str, Callable[..., object]] = {
    function.__name__: function
    for function in (prepare, worker, enqueue, bulk, backlog, spins, one, tallies, hang, latency)
}

if __name__ == "__main__":
    main()

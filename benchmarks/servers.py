"""The servers that some peers need: a Redis of our own (nobody's data is flushed), and a PostgreSQL that runs."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.places import work_directory
from benchmarks.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTGRESQL = os.environ.get("BENCHMARKS_POSTGRESQL", "host=127.0.0.1 port=5432 user=postgres dbname=postgres")


class Servers(NamedTuple):
    """How servers are reached, and why those that are missing are."""

    redis_port: int | None
    missing: dict[str, str]


@contextmanager
def servers(wanted: bool) -> Iterator[Servers]:
    """Start and find the servers of peers; with `wanted` false, none."""
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        port = None
        if not wanted:
            pass
        elif shutil.which("redis-server") is None:
            missing["redis"] = "redis-server is not installed"
        else:
            port = stack.enter_context(_redis())
        if wanted and not _answers():
            missing["postgresql"] = f"no PostgreSQL answers at `{POSTGRESQL}` (BENCHMARKS_POSTGRESQL)"
        yield Servers(port, missing)


@contextmanager
def _redis() -> Iterator[int]:
    """Run redis-server with its defaults on a free port."""
    with work_directory() as directory:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: connects(port))
            yield port
        finally:
            server.kill()
            server.wait()


def free_port() -> int:
    """Return a port of this host that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def connects(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether somebody listens there."""
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def _answers() -> bool:
    given = dict(part.partition("=")[::2] for part in POSTGRESQL.split())
    return connects(int(given.get("port", 5432)), given.get("host", "127.0.0.1"))

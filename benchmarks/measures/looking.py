"""What people pay who look: the queries behind `cronq status`, lists of messages and the dashboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Section, Table, at_most
from benchmarks.million import DELAYED, DONE, FAILED, READY
from benchmarks.places import work_directory
from cronq.messages.message import State
from cronq.transports.sqlite import SqliteTransport
from cronq.transports.sqlite.counts import GLANCED_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.settings import Run

HOW = """One process asks a file that holds {many:,} messages {states}. `cronq status` stops counting at {most:,} of
a queue; `cronq queues` counts all, which is why it is not part of the target."""
EXACT = "exact counts of all queues (`cronq queues`)"


def measure(run: Run) -> Section:
    many = run.pace.many
    with work_directory() as directory:
        ready = run.million.copy(directory / "ready.db", READY, count=many)
        quarter = run.million.copy(directory / "all.db", READY, DELAYED, DONE, FAILED, count=many // 4)
        rows, slowest = [], 0.0
        for states, path in (("ready", ready), ("in four states", quarter)):
            transport = SqliteTransport(str(path))
            for name, query in queries(transport).items():
                figure = Figure.of([_ms(query) for _ in range(run.pace.rounds)])
                rows.append([states, name, figure.text()])
                slowest = max(slowest, figure.median if name != EXACT else 0.0)
            transport.close()
    return Section(
        "Looking",
        HOW.format(many=many, most=GLANCED_AT, states="ready, or a quarter each ready, delayed, kept and failed"),
        [Table(["messages", "query", "ms"], rows)],
        targets=[at_most(f"slowest query of status and dashboard at {many:,}", slowest, 50, " ms")],
    )


def queries(transport: SqliteTransport) -> dict[str, Callable[[], object]]:
    """Return what `status` and the lists ask."""
    lists = {f"50 {state} messages": lambda state=state: transport.browse(state) for state in State}
    depth = {"depth of three queues": lambda: transport.depth(["high", "normal", "low"], 1000)}
    return {"all queues (`cronq status`)": transport.glance, EXACT: transport.counts, **depth, **lists}


def _ms(query: Callable[[], object]) -> float:
    began = time.perf_counter()
    query()
    return 1e3 * (time.perf_counter() - began)

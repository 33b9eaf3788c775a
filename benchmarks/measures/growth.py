"""Whether enqueue, reserve and ack cost the same whatever the file holds."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Section, Table, at_most
from benchmarks.million import DELAYED, DONE, FAILED, READY, SPREAD, UNIQUE
from benchmarks.places import work_directory
from cronq.messages.ids import new_id
from cronq.messages.message import Ack, Message
from cronq.transports.exchange import Want
from cronq.transports.sqlite import SqliteTransport

if TYPE_CHECKING:
    from benchmarks.settings import Run

AT_A_TIME = 200
QUEUES = ("high", "normal", "low")
VERBS = ("enqueue", "exchange")
NEARLY_EMPTY = "next to nothing"
UNIQUE_KEYS = "100,000 unique keys"
FEW_KEYS = "1,000 unique keys"  # messages enqueued there and above have one, too
HOW = """The time of one enqueue, and of one exchange that acks a message and reserves the next, each with its commit,
{times} of each in turns over files that hold different things. Without fsync (`durability = "normal"`), which would
hide what grows. Ratios are to the file that holds next to nothing, those of unique messages to a thousand of them."""


def measure(run: Run) -> Section:
    many = run.pace.many
    fillings = {
        NEARLY_EMPTY: ((READY,), 1000),
        f"{many:,} ready": ((READY,), many),
        f"{many:,} delayed": ((READY, DELAYED), many),
        f"{many:,} in 1,000 queues": ((SPREAD,), many),
        f"{many:,} kept and {many:,} failed": ((DONE, FAILED), many),
    }
    fillings[FEW_KEYS] = ((UNIQUE,), 1000)
    fillings[UNIQUE_KEYS] = ((UNIQUE,), 100_000)
    found = in_turns(run, fillings)
    rows = [
        [name, *(f"{figures[verb].text()} | {ratio(found, name, verb):.2f}" for verb in VERBS)]
        for name, figures in found.items()
    ]
    targets = [
        at_most(f"{verb} with {name}, of {small_one(name)}", ratio(found, name, verb), 1.3, " x")
        for name in found
        if name != small_one(name)
        for verb in VERBS
    ]
    header = ["the file holds", "enqueue, us", "ratio", "ack and reserve, us", "ratio"]
    return Section("Growth", HOW.format(times=AT_A_TIME), [Table(header, rows)], targets=targets)


def ratio(found: dict[str, dict[str, Figure]], name: str, verb: str) -> float:
    """Return how many times as long something takes as with the small file of the same kind."""
    return found[name][verb].median / found[small_one(name)][verb].median


def small_one(name: str) -> str:
    return FEW_KEYS if name in {FEW_KEYS, UNIQUE_KEYS} else NEARLY_EMPTY


def in_turns(run: Run, fillings: dict[str, tuple[tuple[str, ...], int]]) -> dict[str, dict[str, Figure]]:
    """Return the microseconds of each verb for each filling."""
    with work_directory() as directory:
        transports = {}
        for number, (name, (changes, count)) in enumerate(fillings.items()):
            path = run.million.copy(directory / f"{number}.db", *changes, count=count)
            transports[name] = SqliteTransport(str(path), durability="normal")
        found: dict[str, dict[str, list[float]]] = {name: {verb: [] for verb in VERBS} for name in fillings}
        for _ in range(run.pace.rounds + 1):
            for name, transport in transports.items():
                enqueue_us, exchange_us = times_of(transport, has_keys=name in {FEW_KEYS, UNIQUE_KEYS})
                found[name]["enqueue"].append(enqueue_us)
                found[name]["exchange"].append(exchange_us)
        for transport in transports.values():
            transport.close()
    return {
        name: {verb: Figure.of(values[1:]) for verb, values in verbs.items()}  # the first round fills the caches
        for name, verbs in found.items()
    }


def times_of(transport: SqliteTransport, has_keys: bool) -> tuple[float, float]:
    """Return the median microseconds of an enqueue, and of an ack with the next reserve."""
    queue = QUEUES[0]
    enqueues, exchanges = [], []
    for _ in range(AT_A_TIME):
        message = Message(new_id(), queue, "cronq_sqlite.noop", b"{}")
        if has_keys:
            message = message._replace(unique_key=message.id)
        began = time.perf_counter()
        transport.enqueue([message])
        enqueues.append(time.perf_counter() - began)
    taken = transport.exchange("here", [], Want(QUEUES, 4e9, 1, 1)).messages
    for number in range(AT_A_TIME - 1):
        began = time.perf_counter()
        taken = transport.exchange("here", [Ack(one) for one in taken], Want(QUEUES, 4e9, 1, number + 2)).messages
        exchanges.append(time.perf_counter() - began)
    transport.exchange("here", [Ack(one) for one in taken], None)
    return 1e6 * Figure.of(enqueues).median, 1e6 * Figure.of(exchanges).median

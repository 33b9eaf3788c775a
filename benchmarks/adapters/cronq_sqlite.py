"""cronq, from this checkout. Consumers do not step back behind other processes (`nice = 0`), since no peer does."""

from __future__ import annotations

import os
import sys

import work

from cronq import App

VERSIONS = ("cronq-toolkit",)
CONFIG = os.path.join(os.environ["BENCH_DIR"], "cronq.toml")
WORKER = [sys.executable, "-m", "cronq", "consume", "standby", "--config", CONFIG]
VARIANTS = {
    "": "",
    "each": '[queues.high]\nack = "each"\n',
    "normal": 'durability = "normal"\n',
}
TEXT = """{keys}app = "cronq_sqlite:app"
interval = "60s"
[[consumers]]
name = "standby"
queues = ["high", "normal", "low"]
autoscale = {{ min = 1, max = {max} }}
time_limit = "1h"
nice = 0
{tables}"""


def write_config(variant: str, consumers: int) -> None:
    extra = VARIANTS[variant]
    keys, tables = ("", extra) if extra.startswith("[") else (extra, "")
    with open(CONFIG, "w") as file:
        file.write(TEXT.format(keys=keys, tables=tables, max=consumers))


if not os.path.exists(CONFIG):
    write_config(os.environ.get("BENCH_VARIANT", ""), int(os.environ.get("BENCH_CONSUMERS", "1")))
app = App.from_config(CONFIG)
tasks = {function.__name__: app.task(queue="high")(function) for function in work.ALL}


def prepare() -> None:
    app.transport.counts()


def enqueue(name: str, *args: object) -> None:
    tasks[name].enqueue(*args)


def bulk(count: int) -> None:
    tasks["noop"].enqueue_many([((), {})] * count)

"""Who is measured side by side: one line each. What a line names is an adapter in `adapters/`."""

from __future__ import annotations

from typing import NamedTuple


class Contestant(NamedTuple):
    """One queue as it is measured.

    `packages` are installed in a virtual environment of their own (`venv`); without packages it runs in the harness's
    own Python. `server` is what must run; `durability` what a power cut may take. `per_s` is the order of magnitude of
    its drain, which sizes the bursts.
    """

    name: str
    adapter: str
    durability: str
    per_s: int
    variant: str = ""
    venv: str = ""
    packages: tuple[str, ...] = ()
    server: str = ""


FSYNC = "fsync for every commit"
NORMAL = "fsync at checkpoints: a power cut takes the last commits"
NEVER = "no fsync"
SNAPSHOT = "Redis' default: a snapshot, at most once a minute"

CRONQ = Contestant("cronq", "cronq_sqlite", FSYNC, 20000)
CRONQ_EACH = Contestant("cronq, ack = each", "cronq_sqlite", FSYNC, 3000, "each")
CRONQ_NORMAL = Contestant("cronq, durability = normal", "cronq_sqlite", NORMAL, 20000, "normal")
RAW = Contestant("raw sqlite3, FULL", "raw_sqlite", FSYNC, 3000, "FULL")
RAW_NORMAL = Contestant("raw sqlite3, NORMAL", "raw_sqlite", NORMAL, 25000, "NORMAL")
RAW_WOKEN = Contestant("raw sqlite3 and a FIFO", "raw_woken", FSYNC, 3000, "FULL")
HUEY = Contestant("huey SQLite", "huey_sqlite", FSYNC, 2000, "", "huey", ("huey", "redis"))

OWN = (CRONQ, CRONQ_EACH, CRONQ_NORMAL)
LIMITS = (RAW, RAW_NORMAL)
PEERS = (
    HUEY,
    HUEY._replace(name="huey SQLite, fsync=False", variant="off", durability=NEVER, per_s=8000),
    Contestant("litequeue", "litequeue_sqlite", NORMAL, 5000, "", "litequeue", ("litequeue",)),
    Contestant("persist-queue", "persistqueue_sqlite", FSYNC, 1500, "", "persist-queue", ("persist-queue",)),
    Contestant(
        "django-tasks-db SQLite",
        *("django_tasks_db_sqlite", FSYNC, 250, "", "django-tasks-db"),
        ("django-tasks-db[compat]",),
    ),
    Contestant(
        "django-tasks-db SQLite, WAL",
        *("django_tasks_db_sqlite", FSYNC, 250, "wal", "django-tasks-db"),
        ("django-tasks-db[compat]",),
    ),
    HUEY._replace(name="huey Redis", adapter="huey_redis", durability=SNAPSHOT, server="redis"),
    Contestant("dramatiq Redis", "dramatiq_redis", SNAPSHOT, 2000, "", "dramatiq", ("dramatiq[redis]",), "redis"),
    Contestant("Celery Redis", "celery_redis", SNAPSHOT, 800, "", "celery", ("celery[redis]",), "redis"),
    Contestant("RQ", "rq_redis", SNAPSHOT, 40, "", "rq", ("rq",), "redis"),
    Contestant("RQ, SimpleWorker", "rq_redis", SNAPSHOT, 250, "simple", "rq", ("rq",), "redis"),
    Contestant(
        "procrastinate PostgreSQL",
        *("procrastinate_postgresql", FSYNC, 200, "", "procrastinate"),
        ("procrastinate", "psycopg[binary]"),
        "postgresql",
    ),
)
EVERYBODY = (*OWN, *LIMITS, *PEERS)

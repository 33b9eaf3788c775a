"""Tables and indexes, and how an older file becomes a current one (sqlite-utils migrations).

Imported only when the file's `user_version` is not VERSION: sqlite-utils costs 60 ms, and the tick opens the file
every minute. Processes that find the file out of date wait for one another (filelock), so that one of them migrates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from filelock import FileLock
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from cronq.transports.sqlite.version import APPLICATION_ID, VERSION

if TYPE_CHECKING:
    import sqlite3

migrations = Migrations("cronq")

_MESSAGES = """
CREATE TABLE messages (
    id             BLOB PRIMARY KEY,         -- UUID version 7: sorts by the time it was enqueued
    queue          TEXT NOT NULL,
    task           TEXT NOT NULL,
    body           BLOB NOT NULL,            -- JSON
    headers        BLOB NOT NULL,            -- JSON, or empty
    priority       INTEGER NOT NULL,
    available_at   REAL NOT NULL,
    attempt        INTEGER NOT NULL,
    max_attempts   INTEGER NOT NULL,         -- 0: without end
    expires_at     REAL,
    position       INTEGER NOT NULL,         -- numbers the reservations of one holder
    state          TEXT NOT NULL,
    holder         TEXT,
    reserved_until REAL,
    error          TEXT,
    result         BLOB,
    finished_at    REAL,
    keep_until     REAL
) WITHOUT ROWID
"""

# Partial indexes: each state pays for its own index only, so a reserve costs the same whatever backlog,
# delayed messages or history lie in the same table. WITHOUT ROWID saves the second tree that ids would need.
_INDEXES = (
    "CREATE INDEX ready ON messages (queue, priority DESC, id) WHERE state = 'ready'",
    "CREATE INDEX delayed ON messages (queue, available_at) WHERE state = 'delayed'",
    "CREATE INDEX reserved ON messages (holder, reserved_until) WHERE state = 'reserved'",
    "CREATE INDEX failed ON messages (finished_at) WHERE state = 'failed'",
    "CREATE INDEX done ON messages (keep_until) WHERE state = 'done'",
)


_SCHEDULES = """
CREATE TABLE schedules (
    source          TEXT NOT NULL,            -- who declares it: code or config
    name            TEXT NOT NULL,
    declared        TEXT NOT NULL,            -- what the source said, compared to see whether that has changed
    timing          TEXT NOT NULL,            -- what decides when it is due
    spec            BLOB NOT NULL,            -- JSON: task, cron, tz, args, missed, queue, max_attempts
    next_at         REAL,                     -- NULL: never, it was refused
    refused         TEXT,
    last_at         REAL,
    last_message_id TEXT,
    PRIMARY KEY (source, name)
) WITHOUT ROWID
"""


@migrations()
def messages_and_paused_queues(db: Database) -> None:
    db.execute(_MESSAGES)
    for index in _INDEXES:
        db.execute(index)
    db["paused"].create({"queue": str}, pk="queue")  # type: ignore[union-attr]


@migrations()
def recurring_schedules(db: Database) -> None:
    db.execute(_SCHEDULES)


@migrations()
def why_attempts_failed(db: Database) -> None:
    """Adding a column rewrites nothing: a file full of messages is migrated as fast as an empty one."""
    db.execute("ALTER TABLE messages ADD COLUMN error_class TEXT")  # of the last failed attempt
    db.execute("ALTER TABLE messages ADD COLUMN history TEXT")  # JSON: the last failed attempts (attempts.py)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file to VERSION: atomically, once, however many processes try."""
    with FileLock(f"{path}.migrate.lock", mode=0o600):
        migrations.apply(Database(connection, execute_plugins=False))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")

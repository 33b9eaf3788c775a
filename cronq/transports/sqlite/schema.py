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

migrations: Migrations = Migrations("cronq")

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
    source          TEXT NOT NULL,            -- who declares it: code, config or runtime
    name            TEXT NOT NULL,
    declared        TEXT NOT NULL,            -- what the source said, compared to see whether that has changed
    timing          TEXT NOT NULL,            -- what decides when it is due
    spec            BLOB NOT NULL,            -- JSON: see StoredSchedule
    next_at         REAL,                     -- NULL: never, it was refused or has stopped
    refused         TEXT,
    last_at         REAL,
    last_message_id TEXT,
    PRIMARY KEY (source, name)
) WITHOUT ROWID
"""


# Each of these holds only the messages that are under the term it is for. Each costs every other message a look at
# one column whenever it is written, so there are few, and a look for NULL comes first. `blocked` has the gathering
# messages as well, which are labelled and not blocked.
_TERM_INDEXES = (
    "CREATE INDEX blocked ON messages (blocked_by, queue, state, priority DESC, id) WHERE blocked_by IS NOT NULL",
    "CREATE INDEX keys ON messages (unique_key, state, unique_until) WHERE unique_key IS NOT NULL",
    "CREATE INDEX running ON messages (running_key) WHERE running_key IS NOT NULL AND state = 'reserved'",
    "CREATE INDEX parts ON messages (group_id, state) WHERE group_id IS NOT NULL",
)

_RATES = """
CREATE TABLE rates (
    name  TEXT PRIMARY KEY,                   -- task:NAME or queue:NAME
    rate  TEXT NOT NULL,                      -- as code or configuration said last
    spent TEXT NOT NULL                       -- when how many were reserved (rate.py)
) WITHOUT ROWID
"""


_REPLAYED = """
CREATE TABLE replayed (
    spool      TEXT PRIMARY KEY,              -- the id of a file (host/spool.py)
    generation INTEGER NOT NULL,
    position   INTEGER NOT NULL               -- what lies before it is in the queues, or has been
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


@migrations()
def terms_and_what_follows(db: Database) -> None:
    """Each column with a default: consumers of the release before go on writing messages without them."""
    for column in (
        "unique_key TEXT",
        "unique_until REAL NOT NULL DEFAULT 0",
        "running_key TEXT",
        "max_running INTEGER NOT NULL DEFAULT 0",
        "gather INTEGER NOT NULL DEFAULT 0",  # up to so many in one call
        "follow BLOB NOT NULL DEFAULT x''",  # JSON, or empty (follow.py)
        "group_id TEXT",
        "part INTEGER NOT NULL DEFAULT 0",
        "cursor BLOB NOT NULL DEFAULT x''",  # JSON, or empty
        "blocked_by TEXT",  # what a message in state blocked waits for (reasons.py)
    ):
        db.execute(f"ALTER TABLE messages ADD COLUMN {column}")
    db.execute("CREATE INDEX blocked ON messages (blocked_by, queue, priority DESC, id) WHERE state = 'blocked'")


@migrations()
def how_runs_of_schedules_ended(db: Database) -> None:
    """Consumers of the release before go on to declare and to fire: what they do not name has a default."""
    for column in (
        "stop_after INTEGER NOT NULL DEFAULT 0",  # so many failures in a row; 0: never
        "failures INTEGER NOT NULL DEFAULT 0",  # in a row, of runs that are over
        "skipped INTEGER NOT NULL DEFAULT 0",  # due times since last_at when the last run still went on
        "last_result TEXT",  # done or failed, of the last run that is over
        "last_error TEXT",  # its error class
        "stopped_at REAL",
    ):
        db.execute(f"ALTER TABLE schedules ADD COLUMN {column}")


@migrations()
def what_waits_for_what(db: Database) -> None:
    db.execute("ALTER TABLE messages ADD COLUMN waits_for TEXT")  # a group
    db.execute("DROP INDEX blocked")
    for index in _TERM_INDEXES:
        db.execute(index)
    db.execute(_RATES)


@migrations()
def what_is_to_be_stopped(db: Database) -> None:
    db.execute("ALTER TABLE messages ADD COLUMN stop INTEGER NOT NULL DEFAULT 0")  # 1: asked for while it was run


@migrations()
def how_far_spools_were_replayed(db: Database) -> None:
    db.execute(_REPLAYED)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file to VERSION: atomically, once, however many processes try."""
    with FileLock(f"{path}.migrate.lock", mode=0o600):
        migrations.apply(Database(connection, execute_plugins=False))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")

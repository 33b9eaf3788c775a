"""Every statement, named after its verb. They run on SQLite 3.26: no RETURNING, no UPSERT needed, no JSON operators.

Literal states (`state = 'ready'`) are what lets SQLite use the partial index of that state.
"""

from functools import cache

_COLUMNS = (  # as in message.py, save `replaces`, which is not stored
    "id",
    "queue",
    "task",
    "body",
    "headers",
    "priority",
    "available_at",
    "attempt",
    "max_attempts",
    "expires_at",
    "position",
    "unique_key",
    "unique_until",
    "running_key",
    "max_running",
    "gather",
    "follow",
    "group_id",
    "part",
    "cursor",
    "waits_for",
    "stop",
)
BLOCKED = "blocked_by IS NOT NULL AND state = 'blocked'"  # which is what the index of that name is for
STORED = len(_COLUMNS)
MESSAGE = ", ".join(_COLUMNS)
RECORD = f"{MESSAGE}, state, holder, error, result, finished_at, keep_until, error_class, history, blocked_by"

# What a message without terms says, up to `max_attempts`; the rest is as the table has it by default.
PLAIN = 9
ENQUEUE_PLAIN = (
    f"INSERT INTO messages ({', '.join(_COLUMNS[:PLAIN])}, state, position) "  # noqa: S608
    f"VALUES ({', '.join('?' * PLAIN)}, ?, 0)"
)

_LABELLED = "INSERT INTO messages ({}, state, blocked_by) VALUES ({}, ?, ?)"
ENQUEUE_LABELLED = _LABELLED.format(MESSAGE, ", ".join("?" * STORED))
_ALL = ", ".join(f"{name} = ?" for name in _COLUMNS[1:])
REPLACE_WAITING = f"UPDATE messages SET {_ALL}, state = ?, blocked_by = ? WHERE id = ?"  # noqa: S608

# Who absorbs others of a unique key (terms.absorbs): a waiting one, else a running one, else a finished one.
STANDING = """
SELECT id, 0 AS rank FROM messages WHERE unique_key = ? AND state IN ('ready', 'delayed', 'blocked')
    AND (unique_until = 0 OR unique_until > ?)
UNION ALL SELECT id, 1 FROM messages WHERE unique_key = ? AND state = 'reserved' AND unique_until > ?
UNION ALL SELECT id, 2 FROM messages WHERE unique_key = ? AND state IN ('failed', 'done')
    AND unique_until > ? AND unique_until < 9e999
ORDER BY rank, id LIMIT 1"""

# Paused queues, paused tasks as `task:NAME`, and the rates that something waits for, with what was spent of them.
RULES = """
SELECT queue, NULL, NULL FROM paused
UNION ALL SELECT name, rate, spent FROM rates
    WHERE EXISTS (SELECT 1 FROM messages WHERE state = 'blocked' AND blocked_by = 'rate:' || name)"""
PAUSED = "SELECT queue FROM paused"
IS_PAUSED = f"{PAUSED} WHERE queue = ?"
METER = "SELECT rate, spent FROM rates WHERE name = ?"
PUT_METER = "REPLACE INTO rates (name, rate, spent) VALUES (?, ?, ?)"

COUNT_RUNNING = "SELECT count(*) FROM messages WHERE state = 'reserved' AND running_key = ?"
IS_OPEN = """
SELECT EXISTS (SELECT 1 FROM messages
    WHERE group_id = ? AND state IN ('ready', 'delayed', 'blocked', 'reserved', 'failed'))"""
HAS_BLOCKED = "SELECT EXISTS (SELECT 1 FROM messages WHERE blocked_by = ?)"
GIVE_UP_PARTS = "UPDATE messages SET keep_until = reserved_until WHERE group_id = ? AND state = 'done'"
RESULTS = "SELECT part, result FROM messages WHERE group_id = ? AND state = 'done' ORDER BY id"
GATHERED_READY = f"""
SELECT {MESSAGE} FROM messages WHERE blocked_by = ? AND queue = ? AND state = 'ready' ORDER BY priority DESC, id
LIMIT ?"""  # noqa: S608
GATHERED_DELAYED = GATHERED_READY.replace("'ready'", "'delayed'")

BLOCK = "UPDATE messages SET state = ?, blocked_by = ? WHERE id = ?"
_FREE = """
UPDATE messages SET state = CASE WHEN available_at > ? THEN 'delayed' ELSE 'ready' END, blocked_by = NULL
WHERE"""
FREE = f"{_FREE} id = ?"
FREE_ALL = f"{_FREE} id IN (SELECT id FROM messages WHERE state = 'blocked' AND blocked_by = ? LIMIT ?)"  # noqa: S608
NEXT_REASON = "SELECT min(blocked_by) FROM messages WHERE blocked_by > ?"
NEXT_BLOCKED_QUEUE = "SELECT min(queue) FROM messages WHERE blocked_by = ? AND queue > ?"
NEXT_BLOCKED = """
SELECT id, max_running FROM messages WHERE state = 'blocked' AND blocked_by = ? AND queue = ?
ORDER BY priority DESC, id LIMIT ?"""
DEPTH_BLOCKED = """
SELECT count(*) FROM (SELECT 1 FROM messages WHERE state = 'blocked' AND blocked_by = ? AND queue = ? LIMIT ?)"""


@cache
def anything_else(queues: int) -> str:
    """Is anything paused or under a rate, and is anything delayed due in so many queues? 1 or 0 each.

    The values are now and the queue, for each. One statement, since each has its price: most often the answers are
    no, and what is ready is all there is to look at.
    """
    due = ["EXISTS (SELECT 1 FROM messages WHERE available_at <= ? AND queue = ? AND state = 'delayed')"] * queues
    held = "EXISTS (SELECT 1 FROM paused) OR EXISTS (SELECT 1 FROM rates)"
    return f"SELECT {held}, {' OR '.join(due) or 0}"


DUE = "SELECT id FROM messages WHERE state = 'delayed' AND queue = ? AND available_at <= ? LIMIT 1000"
MAKE_READY = "UPDATE messages SET state = 'ready' WHERE id = ?"

_READY = f"SELECT {MESSAGE} FROM messages WHERE state = 'ready' AND queue = ?"  # noqa: S608
_BLOCKED = f"SELECT {MESSAGE} FROM messages WHERE state = 'blocked' AND queue = ? AND blocked_by = ?"  # noqa: S608
_IN_ORDER = "ORDER BY priority DESC, id LIMIT ?"
READY = f"{_READY} {_IN_ORDER}"


def ready_without(tasks: int) -> str:
    """READY, leaving out messages of so many tasks: their names stand between the queue and the limit."""
    return _without(_READY, tasks)


def blocked_without(tasks: int) -> str:
    """Messages of a queue that wait for one thing, leaving out some tasks: their names stand before the limit."""
    return _without(_BLOCKED, tasks)


@cache
def leaving_out(statement: str, tasks: int) -> str:
    """Return a statement that counts, or looks for the first, leaving out some tasks: their names come before a limit.

    It ends with its conditions, or with a limit inside its brackets.
    """
    if not tasks:
        return statement
    head, limit, tail = statement.partition(" LIMIT ")
    return f"{head} AND task NOT IN ({', '.join('?' * tasks)}){limit}{tail}"


def _without(statement: str, tasks: int) -> str:
    return f"{statement} AND task NOT IN ({', '.join('?' * tasks)}) {_IN_ORDER}"


RESERVE = """
UPDATE messages SET state = 'reserved', attempt = attempt + 1, position = ?, holder = ?, reserved_until = ?,
blocked_by = NULL
WHERE id = ?"""

# An ending names its reservation: the holder, and the number that the holder gave it.
_OURS = "WHERE id = ? AND state = 'reserved' AND position = ? AND holder = ?"
ACK = f"DELETE FROM messages {_OURS}"  # noqa: S608
KEEP = f"""
UPDATE messages SET state = 'done', holder = NULL, result = ?, error = NULL, error_class = NULL, finished_at = ?,
keep_until = ?, reserved_until = ?
{_OURS}"""  # noqa: S608
CONTINUE = f"""
UPDATE messages SET state = ?, holder = NULL, available_at = ?, attempt = 0, cursor = ?, blocked_by = ?,
error = NULL, error_class = NULL, history = NULL
{_OURS}"""  # noqa: S608
RELEASE = f"""
UPDATE messages SET state = ?, holder = NULL, available_at = ?, attempt = attempt - ?, gather = ?, blocked_by = ?
{_OURS}"""  # noqa: S608
FAIL = f"UPDATE messages SET state = 'failed', holder = NULL, gather = 0, finished_at = ? {_OURS}"  # noqa: S608

# What a failed attempt costs beside its ending: a look at the attempts before, and these three columns. An ending
# that comes too late finds no history to look at, and changes nothing.
HISTORY = f"SELECT history FROM messages {_OURS}"  # noqa: S608
REMEMBER = f"UPDATE messages SET error = ?, error_class = ?, history = ? {_OURS}"  # noqa: S608

HELD = "SELECT holder, count(*), min(reserved_until) FROM messages WHERE state = 'reserved' GROUP BY holder"
EXTEND = "UPDATE messages SET reserved_until = ? WHERE state = 'reserved' AND holder = ?"
ASK_TO_STOP = "UPDATE messages SET stop = 1 WHERE id = ? AND state = 'reserved'"
HOLDER = "SELECT holder FROM messages WHERE id = ? AND state = 'reserved'"
ASKED_TO_STOP = "SELECT id FROM messages WHERE state = 'reserved' AND holder = ? AND stop"
HELD_AT = f"SELECT {MESSAGE} FROM messages WHERE state = 'reserved' AND holder = ? AND position = ?"  # noqa: S608
HELD_BY = f"SELECT {MESSAGE} FROM messages WHERE state = 'reserved' AND holder = ?"  # noqa: S608

DEPTH = "SELECT count(*) FROM (SELECT 1 FROM messages WHERE state = 'ready' AND queue = ? LIMIT ?)"
DEPTH_DUE = """
SELECT count(*) FROM (SELECT 1 FROM messages WHERE state = 'delayed' AND queue = ? AND available_at <= ? LIMIT ?)"""
WAITING = (
    DEPTH,
    DEPTH.replace("'ready'", "'delayed'"),
    f"SELECT count(*) FROM (SELECT 1 FROM messages WHERE {BLOCKED} AND queue = ? LIMIT ?)",  # noqa: S608
)
NEXT_AT = "SELECT min(available_at) FROM messages WHERE state = 'delayed' AND queue = ?"

COUNT_READY = "SELECT queue, count(*), min(id) FROM messages WHERE state = 'ready' GROUP BY queue"
COUNT_DELAYED = """
SELECT queue, available_at <= ?, count(*), min(available_at) FROM messages WHERE state = 'delayed' GROUP BY 1, 2"""
NEXT_READY = f"SELECT id, available_at FROM messages WHERE state = 'ready' AND queue = ? {_IN_ORDER}"  # noqa: S608
AVAILABLE_AT = "SELECT id, available_at FROM messages WHERE id = ?"
COUNT_OTHERS = (
    ("reserved", "SELECT queue, count(*) FROM messages WHERE state = 'reserved' GROUP BY queue"),
    ("failed", "SELECT queue, count(*) FROM messages WHERE state = 'failed' GROUP BY queue"),
    ("done", "SELECT queue, count(*) FROM messages WHERE state = 'done' GROUP BY queue"),
    ("blocked", f"SELECT queue, count(*) FROM messages WHERE {BLOCKED} GROUP BY queue"),  # noqa: S608
)

# A glance: queue after queue along the index, and no further than a limit.
NEXT_QUEUE = (
    "SELECT min(queue) FROM messages WHERE state = 'ready' AND queue > ?",
    "SELECT min(queue) FROM messages WHERE state = 'delayed' AND queue > ?",
)
NEXT_PRIORITY = "SELECT max(priority) FROM messages WHERE state = 'ready' AND queue = ? AND priority < ?"
FIRST_OF = "SELECT min(id) FROM messages WHERE state = 'ready' AND queue = ? AND priority = ?"
DEPTH_LATER = """
SELECT count(*) FROM (SELECT 1 FROM messages WHERE state = 'delayed' AND queue = ? AND available_at > ? LIMIT ?)"""
GLANCE_OTHERS = tuple(
    (state, f"SELECT queue, count(*) FROM (SELECT queue FROM messages WHERE {those} LIMIT ?) GROUP BY queue")  # noqa: S608
    for state, those in (("reserved", "state = 'reserved'"), ("failed", "state = 'failed'"), ("blocked", BLOCKED))
)

REPLAYED = "SELECT generation, position FROM replayed WHERE spool = ?"
PUT_REPLAYED = "REPLACE INTO replayed (spool, generation, position) VALUES (?, ?, ?)"
IS_THERE = "SELECT 1 FROM messages WHERE id = ?"

FIND = f"SELECT {RECORD} FROM messages WHERE id = ?"  # noqa: S608
REVIVE = """
UPDATE messages SET state = ?, attempt = 0, available_at = ?, finished_at = NULL, stop = 0
WHERE id = ? AND state = 'failed'"""
AMEND = "UPDATE messages SET body = ?, headers = ? WHERE id = ? AND state = 'failed'"
REMOVE = "DELETE FROM messages WHERE id = ? AND state <> 'reserved'"
REMOVE_ONLY = f"{REMOVE} AND state = ?"
CANCEL = "DELETE FROM messages WHERE id = ? AND state IN ('ready', 'delayed', 'blocked')"
FLUSH = "DELETE FROM messages WHERE queue = ? AND state <> 'reserved'"
TIES = "SELECT running_key, group_id, waits_for FROM messages WHERE id = ? AND state <> 'reserved'"
TIES_IN_QUEUE = """
SELECT DISTINCT running_key, group_id, waits_for FROM messages WHERE queue = ? AND state <> 'reserved'
    AND (running_key IS NOT NULL OR group_id IS NOT NULL OR waits_for IS NOT NULL)"""
PRUNABLE_FAILED = """
SELECT id, running_key, group_id, waits_for FROM messages WHERE state = 'failed' AND finished_at <= ? LIMIT ?"""
PRUNABLE_DONE = """
SELECT id, running_key, group_id, waits_for FROM messages WHERE state = 'done' AND keep_until <= ? LIMIT ?"""
DELETE = "DELETE FROM messages WHERE id = ?"
PRUNABLE = """
SELECT EXISTS (SELECT 1 FROM messages WHERE state = 'failed' AND finished_at <= ?)
    OR EXISTS (SELECT 1 FROM messages WHERE state = 'done' AND keep_until <= ?)"""
PAUSE = "INSERT OR IGNORE INTO paused (queue) VALUES (?)"
RESUME = "DELETE FROM paused WHERE queue = ?"

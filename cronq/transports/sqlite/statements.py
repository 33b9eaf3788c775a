"""Every statement, named after its verb. They run on SQLite 3.26: no RETURNING, no UPSERT needed, no JSON operators.

Literal states (`state = 'ready'`) are what lets SQLite use the partial index of that state.
"""

MESSAGE = (
    "id, queue, task, body, headers, priority, available_at, attempt, max_attempts, expires_at, position"  # message.py
)
RECORD = f"{MESSAGE}, state, holder, error, result, finished_at, keep_until, error_class, history"

ENQUEUE = f"INSERT INTO messages ({MESSAGE}, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608

PAUSED = "SELECT queue FROM paused"
DUE = "SELECT id FROM messages WHERE state = 'delayed' AND queue = ? AND available_at <= ? LIMIT 1000"
MAKE_READY = "UPDATE messages SET state = 'ready' WHERE id = ?"

_READY = f"SELECT {MESSAGE} FROM messages WHERE state = 'ready' AND queue = ?"  # noqa: S608
_IN_ORDER = "ORDER BY priority DESC, id LIMIT ?"
READY = f"{_READY} {_IN_ORDER}"


def ready_without(tasks: int) -> str:
    """READY, leaving out messages of so many tasks: their names stand between the queue and the limit."""
    return f"{_READY} AND task NOT IN ({', '.join('?' * tasks)}) {_IN_ORDER}"


RESERVE = """
UPDATE messages SET state = 'reserved', attempt = attempt + 1, position = ?, holder = ?, reserved_until = ?
WHERE id = ?"""

# An ending names its reservation: the holder, and the number that the holder gave it.
_OURS = "WHERE id = ? AND state = 'reserved' AND position = ? AND holder = ?"
ACK = f"DELETE FROM messages {_OURS}"  # noqa: S608
KEEP = f"""
UPDATE messages SET state = 'done', holder = NULL, result = ?, error = NULL, error_class = NULL, finished_at = ?,
keep_until = ?
{_OURS}"""  # noqa: S608
RELEASE = f"UPDATE messages SET state = ?, holder = NULL, available_at = ?, attempt = attempt - ? {_OURS}"  # noqa: S608
FAIL = f"UPDATE messages SET state = 'failed', holder = NULL, finished_at = ? {_OURS}"  # noqa: S608

# What a failed attempt costs beside its ending: a look at the attempts before, and these three columns. An ending
# that comes too late finds no history to look at, and changes nothing.
HISTORY = f"SELECT history FROM messages {_OURS}"  # noqa: S608
REMEMBER = f"UPDATE messages SET error = ?, error_class = ?, history = ? {_OURS}"  # noqa: S608

HELD = "SELECT holder, count(*), min(reserved_until) FROM messages WHERE state = 'reserved' GROUP BY holder"
EXTEND = "UPDATE messages SET reserved_until = ? WHERE state = 'reserved' AND holder = ?"
HELD_BY = f"SELECT {MESSAGE} FROM messages WHERE state = 'reserved' AND holder = ?"  # noqa: S608

DEPTH = "SELECT count(*) FROM (SELECT 1 FROM messages WHERE state = 'ready' AND queue = ? LIMIT ?)"
DEPTH_DUE = """
SELECT count(*) FROM (SELECT 1 FROM messages WHERE state = 'delayed' AND queue = ? AND available_at <= ? LIMIT ?)"""
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
)

FIND = f"SELECT {RECORD} FROM messages WHERE id = ?"  # noqa: S608
REVIVE = """
UPDATE messages SET state = ?, attempt = 0, available_at = ?, finished_at = NULL
WHERE id = ? AND state = 'failed'"""
AMEND = "UPDATE messages SET body = ? WHERE id = ? AND state = 'failed'"
REMOVE = "DELETE FROM messages WHERE id = ? AND state <> 'reserved'"
REMOVE_ONLY = f"{REMOVE} AND state = ?"
FLUSH = "DELETE FROM messages WHERE queue = ? AND state <> 'reserved'"
PRUNE_FAILED = """
DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE state = 'failed' AND finished_at <= ? LIMIT ?)"""
PRUNE_DONE = """
DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE state = 'done' AND keep_until <= ? LIMIT ?)"""
PRUNABLE = """
SELECT EXISTS (SELECT 1 FROM messages WHERE state = 'failed' AND finished_at <= ?)
    OR EXISTS (SELECT 1 FROM messages WHERE state = 'done' AND keep_until <= ?)"""
PAUSE = "INSERT OR IGNORE INTO paused (queue) VALUES (?)"
RESUME = "DELETE FROM paused WHERE queue = ?"

_SCHEDULE = "source, name, declared, timing, spec, next_at, refused, last_at, last_message_id"  # transports/base.py
SCHEDULES = f"SELECT {_SCHEDULE} FROM schedules ORDER BY name, source"  # noqa: S608
FORGET_SCHEDULES = "DELETE FROM schedules WHERE source = ?"
DECLARE = f"INSERT INTO schedules ({_SCHEDULE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_IF_NOT_FIRED = "WHERE source = ? AND name = ? AND next_at = ?"
FIRE = f"UPDATE schedules SET next_at = ?, last_at = ?, last_message_id = ? {_IF_NOT_FIRED}"  # noqa: S608
SKIP = f"UPDATE schedules SET next_at = ? {_IF_NOT_FIRED}"  # noqa: S608

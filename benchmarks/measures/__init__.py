"""One file per measure; each has `measure(run)`, which returns its section of the report. They run in this order."""

NAMES = (
    *("enqueue", "drain", "long_messages", "latency", "idle", "crew", "killed", "crowd", "help"),
    *("slow_disk", "tick", "quiet_day", "hook", "growth", "looking"),
)

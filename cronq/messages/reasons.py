"""What a blocked message waits for, as it is stored, and in words."""

from __future__ import annotations

RUNNING, RATE, TASK, GROUP, BATCH = "running:", "rate:", "task:", "group:", "batch:"


def running(key: str) -> str:
    """Others with its running key must end first."""
    return RUNNING + key


def rate(name: str) -> str:
    """The rate of that name must allow it: see `task_rate` and `queue_rate`."""
    return RATE + name


def task_rate(task: str) -> str:
    """Return the name of the rate that a task has."""
    return f"task:{task}"


def queue_rate(queue: str) -> str:
    """Return the name of the rate that a queue has."""
    return f"queue:{queue}"


def paused_task(task: str) -> str:
    """Its task must be resumed."""
    return TASK + task


def group(group_id: str) -> str:
    """Every part of the group must have ended well, or be gone."""
    return GROUP + group_id


def batch(queue: str, task: str) -> str:
    """It waits for others to be run in one call with it. Such a message is delayed, not blocked: its time will come."""
    return f"{BATCH}{queue}:{task}"


def in_words(blocked_by: str) -> str:
    """Return what a message waits for as a person reads it."""
    kind, _, what = blocked_by.partition(":")
    if kind == "rate":
        of, _, name = what.partition(":")
        return f"the rate of {of} {name} to allow it"
    said = {
        "running": f"others with the running key {what} to end",
        "task": f"its task {what} to be resumed",
        "group": f"all parts of group {what} to be done",
        "batch": "others to be run in one call with it",
    }
    return said.get(kind, blocked_by)

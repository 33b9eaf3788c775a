"""Reliable background work on shared hosting: one crontab line, one WSGI line, no daemon."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = [
    # the app and what its code uses
    "App",
    "task",
    "handler",
    "batch",
    "cron",
    "Context",
    "CURRENT",
    "Retry",
    "RESULT",
    "Failure",
    "Unique",
    "MaxRunning",
    # what they return
    "Task",
    "AsyncTask",
    "BatchTask",
    "Ref",
    "Call",
    "Chain",
    "CallGroup",
    "WorkflowRef",
    "Box",
    # message classes
    "HighPriority",
    "NormalPriority",
    "LowPriority",
    # what tasks may raise
    "GiveUp",
    "PartlyFailed",
    "RetryLater",
    "TaskStopped",
    "TaskTimeout",
    # what cronq raises
    "CronqError",
    "ArgumentError",
    "ConfigError",
    "NoResult",
    "QueueFull",
    "WaitTimeout",
    "TransportError",
    "Unsent",
    "UsageError",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.app import App
    from cronq.app.shared_tasks import batch, cron, handler, task
    from cronq.app.workflow_ref import WorkflowRef
    from cronq.app.workflows import CallGroup, Chain
    from cronq.errors import (
        ArgumentError,
        ConfigError,
        CronqError,
        GiveUp,
        NoResult,
        PartlyFailed,
        RetryLater,
        TaskStopped,
        TaskTimeout,
        TransportError,
        UsageError,
        WaitTimeout,
    )
    from cronq.messages.failure import Failure
    from cronq.messages.unsent import QueueFull, Unsent
    from cronq.tasks.batch_task import BatchTask
    from cronq.tasks.context import CURRENT, Context
    from cronq.tasks.ref import Ref
    from cronq.tasks.retry import Retry
    from cronq.tasks.routing import HighPriority, LowPriority, NormalPriority
    from cronq.tasks.task import RESULT, AsyncTask, Call, Task
    from cronq.tasks.terms import MaxRunning, Unique
    from cronq.testing.box import Box

_MODULES = {
    "App": "cronq.app",
    "task": "cronq.app.shared_tasks",
    "handler": "cronq.app.shared_tasks",
    "batch": "cronq.app.shared_tasks",
    "cron": "cronq.app.shared_tasks",
    "WorkflowRef": "cronq.app.workflow_ref",
    "CallGroup": "cronq.app.workflows",
    "Chain": "cronq.app.workflows",
    "Failure": "cronq.messages.failure",
    "QueueFull": "cronq.messages.unsent",
    "Unsent": "cronq.messages.unsent",
    "BatchTask": "cronq.tasks.batch_task",
    "Context": "cronq.tasks.context",
    "CURRENT": "cronq.tasks.context",
    "Ref": "cronq.tasks.ref",
    "Retry": "cronq.tasks.retry",
    "HighPriority": "cronq.tasks.routing",
    "NormalPriority": "cronq.tasks.routing",
    "LowPriority": "cronq.tasks.routing",
    "RESULT": "cronq.tasks.task",
    "AsyncTask": "cronq.tasks.task",
    "Call": "cronq.tasks.task",
    "Task": "cronq.tasks.task",
    "Unique": "cronq.tasks.terms",
    "MaxRunning": "cronq.tasks.terms",
    "Box": "cronq.testing.box",
}


def __getattr__(name: str) -> object:
    """Import public names when they are first used (PEP 562): the tick imports this package and none of them."""
    if name not in __all__:
        raise AttributeError(f"module 'cronq' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES.get(name, "cronq.errors")), name)

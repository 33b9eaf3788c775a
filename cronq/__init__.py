"""Reliable background work on shared hosting: one crontab line, one WSGI line, no daemon."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = [
    # the app and what its code uses
    "App",
    "Context",
    "Retry",
    "RESULT",
    "Failure",
    "Unique",
    "MaxRunning",
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
    "TransportError",
    "UsageError",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.app import App
    from cronq.errors import (
        ArgumentError,
        ConfigError,
        CronqError,
        GiveUp,
        PartlyFailed,
        RetryLater,
        TaskStopped,
        TaskTimeout,
        TransportError,
        UsageError,
    )
    from cronq.messages.failure import Failure
    from cronq.tasks.context import Context
    from cronq.tasks.retry import Retry
    from cronq.tasks.routing import HighPriority, LowPriority, NormalPriority
    from cronq.tasks.task import RESULT
    from cronq.tasks.terms import MaxRunning, Unique

_MODULES = {
    "App": "cronq.app",
    "Context": "cronq.tasks.context",
    "Retry": "cronq.tasks.retry",
    "RESULT": "cronq.tasks.task",
    "Failure": "cronq.messages.failure",
    "Unique": "cronq.tasks.terms",
    "MaxRunning": "cronq.tasks.terms",
    "HighPriority": "cronq.tasks.routing",
    "NormalPriority": "cronq.tasks.routing",
    "LowPriority": "cronq.tasks.routing",
}


def __getattr__(name: str) -> object:
    """Import public names when they are first used (PEP 562): the tick imports this package and none of them."""
    if name not in __all__:
        raise AttributeError(f"module 'cronq' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES.get(name, "cronq.errors")), name)

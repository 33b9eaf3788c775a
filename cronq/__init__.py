"""Reliable background work on shared hosting: one crontab line, one WSGI line, no daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    # the app and what its code uses
    "App",
    "Context",
    "Retry",
    # message classes
    "HighPriority",
    "NormalPriority",
    "LowPriority",
    # what tasks may raise
    "GiveUp",
    "RetryLater",
    "TaskTimeout",
    # what cronq raises
    "CronqError",
    "ArgumentError",
    "ConfigError",
    "TransportError",
    "UsageError",
]

if TYPE_CHECKING:
    from cronq.app import App
    from cronq.context import Context
    from cronq.errors import (
        ArgumentError,
        ConfigError,
        CronqError,
        GiveUp,
        RetryLater,
        TaskTimeout,
        TransportError,
        UsageError,
    )
    from cronq.retry import Retry
    from cronq.routing import HighPriority, LowPriority, NormalPriority

_MODULES = {
    "App": "cronq.app",
    "Context": "cronq.context",
    "Retry": "cronq.retry",
    "HighPriority": "cronq.routing",
    "NormalPriority": "cronq.routing",
    "LowPriority": "cronq.routing",
}


def __getattr__(name: str) -> object:
    """Import public names when they are first used (PEP 562): the tick imports this package and none of them."""
    if name not in __all__:
        raise AttributeError(f"module 'cronq' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES.get(name, "cronq.errors")), name)

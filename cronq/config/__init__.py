"""The configuration: `load()` reads cronq.toml and returns frozen Settings.

`advice.warnings`, `template.template` and the durations are imported from their modules, by those who need them.
"""

from __future__ import annotations

from cronq.config.settings import Autoscale, Group, Inline, Queue, Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.config.loader import load

__all__ = ["Autoscale", "Group", "Inline", "Queue", "Settings", "load"]


def __getattr__(name: str) -> object:
    """Import `load` when it is first used: a tick remembers what it read last time (remembered.py)."""
    if name != "load":
        raise AttributeError(f"module 'cronq.config' has no attribute {name!r}")
    from cronq.config.loader import load

    return load

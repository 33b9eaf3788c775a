"""The configuration: `load()` reads cronq.toml and returns frozen Settings.

`advice.warnings`, `template.template` and the durations are imported from their modules, by those who need them.
"""

from __future__ import annotations

from cronq.config.load import load
from cronq.config.settings import Autoscale, Group, Inline, Queue, Settings

__all__ = ["Autoscale", "Group", "Inline", "Queue", "Settings", "load"]

"""The SQLite file behind `transport`, for commands that look at it from outside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronq.config.settings import Settings


def database_of(settings: Settings) -> str | None:
    """Return the path of the database file, None when the transport has none."""
    from cronq.transports.schemes import sqlite_path

    scheme, _, rest = settings.transport.partition("://")
    return sqlite_path(settings.state_dir, rest) if scheme == "sqlite" else None


def is_used(settings: Settings) -> bool:
    """Tell whether there is anything to look at: a transport without a file, or a file that exists."""
    path = database_of(settings)
    return path is None or os.path.exists(path)

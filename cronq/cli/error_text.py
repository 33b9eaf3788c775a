"""How an error of ours reads on a terminal."""

from __future__ import annotations

from cronq.errors import ConfigError, CronqError, UsageError
from cronq.escape import escaped, escaped_lines


def complaint(error: CronqError) -> str:
    """Return an error in words: one line for each problem, whatever others wrote into it."""
    if isinstance(error, ConfigError):
        return "\n".join(map(escaped, error.problems))
    return escaped(str(error)) if isinstance(error, UsageError) else escaped_lines(str(error))

"""Sending messages from a shell, on transports that are no place between processes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cronq.errors import CronqError, UsageError
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.config.settings import Settings


def refuse_to_lose(settings: Settings) -> None:
    """Raise UsageError where a message would end with this process."""
    if settings.transport.startswith("memory:"):
        raise UsageError("transport = memory:// lives in one process: a message enqueued from here would be lost")


@contextmanager
def sending() -> Iterator[None]:
    """Send in this. Raises CronqError for what a task raises: sync:// runs it here, and its own error comes out."""
    try:
        yield
    except CronqError:
        raise
    except Exception as error:
        raise CronqError(escaped(f"the task failed: {type(error).__name__}: {error}")) from error

"""The transport of `sync://`: every message is run by the app the moment it is enqueued, in the same process."""

from __future__ import annotations

from cronq.transports.memory import MemoryTransport


class SyncTransport(MemoryTransport):
    """Memory, but the app drains it at once after every enqueue, and a task's exception reaches the caller."""

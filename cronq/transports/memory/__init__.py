"""Queues inside one process."""

from cronq.transports.memory.transport import MemoryTransport

__all__ = ["MemoryTransport"]

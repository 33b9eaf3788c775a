from __future__ import annotations

from cronq.transports.memory import MemoryTransport
from cronq.transports.sync import SyncTransport
from tests.transports.contract import TransportContract


class TestMemory(TransportContract):
    def make(self, clock, tmp_path):
        return MemoryTransport(clock)


class TestSync(TransportContract):
    def make(self, clock, tmp_path):
        return SyncTransport(clock)

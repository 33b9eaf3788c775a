from __future__ import annotations

from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.sync import SyncTransport
from tests.transports.whole_contract import WholeContract


class TestMemory(WholeContract):
    def make(self, clock, tmp_path):
        return MemoryTransport(clock)


class TestSync(WholeContract):
    def make(self, clock, tmp_path):
        return SyncTransport(clock)

from __future__ import annotations

from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.sync import SyncTransport
from tests.transports.terms_contract import TermsContract


class TestMemory(TermsContract):
    def make(self, clock, tmp_path):
        return MemoryTransport(clock)


class TestSync(TermsContract):
    def make(self, clock, tmp_path):
        return SyncTransport(clock)

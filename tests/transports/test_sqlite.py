from __future__ import annotations

from cronq.transports.sqlite import SqliteTransport
from tests.transports.contract import TransportContract


class TestSqlite(TransportContract):
    def make(self, clock, tmp_path):
        return SqliteTransport(str(tmp_path / "queue.db"), clock=clock)

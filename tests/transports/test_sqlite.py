from __future__ import annotations

from cronq.transports.sqlite import SqliteTransport
from tests.transports.terms_contract import TermsContract


class TestSqlite(TermsContract):
    def make(self, clock, tmp_path):
        return SqliteTransport(str(tmp_path / "queue.db"), clock=clock)

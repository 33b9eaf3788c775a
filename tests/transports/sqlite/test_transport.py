from __future__ import annotations

import sqlite3

from cronq.transports.sqlite import SqliteTransport
from tests.transports.abilities.copies_contract import CopiesContract
from tests.transports.abilities.shared_transactions_contract import SharedTransactionsContract
from tests.transports.whole_contract import WholeContract


class TestSqlite(WholeContract, CopiesContract, SharedTransactionsContract):
    def make(self, clock, tmp_path):
        return SqliteTransport(str(tmp_path / "queue.db"), clock=clock)

    def connect(self, tmp_path):
        return sqlite3.connect(tmp_path / "queue.db")

"""What a transport must do inside a transaction that somebody else has begun."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cronq.errors import UsageError
from tests.transports.contract import Contract, ids, message

if TYPE_CHECKING:
    from pathlib import Path


class SharedTransactionsContract(Contract):
    @abstractmethod
    def connect(self, tmp_path: Path) -> Any:
        """Return a connection of the caller's own to the database that the transport works on."""

    @pytest.fixture
    def theirs(self, transport, tmp_path):
        transport.counts()
        with closing(self.connect(tmp_path)) as connection:
            connection.execute("CREATE TABLE orders (id INTEGER)")
            connection.commit()
            connection.execute("INSERT INTO orders VALUES (1)")
            yield connection

    def test_what_was_enqueued_in_a_transaction_is_there_when_it_is_committed(self, transport, theirs):
        sent = [message(), message(unique_key="k")]
        transport.enqueue_in(theirs, sent)
        assert transport.depth(["high"], 9) == 0
        theirs.commit()
        assert ids(self.reserve(transport).messages) == ids(sent)

    def test_what_was_enqueued_in_a_transaction_is_gone_when_it_is_rolled_back(self, transport, theirs):
        transport.enqueue_in(theirs, [message(), message(unique_key="k")])
        theirs.rollback()
        assert self.reserve(transport).messages == []

    def test_a_connection_to_something_else_is_refused(self, transport):
        with pytest.raises(UsageError, match="leads to no"):
            transport.enqueue_in(object(), [message()])

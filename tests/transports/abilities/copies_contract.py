"""What a transport must do when it copies everything that it keeps."""

from __future__ import annotations

from pathlib import Path

from tests.transports.contract import Contract, message


class CopiesContract(Contract):
    def test_a_copy_says_where_it_is_and_what_waits_and_failed_in_it(self, transport, tmp_path):
        before = transport.backup(str(tmp_path / "before.db"))
        self.fail(transport, message())
        transport.enqueue([message(), message(available_at=2e9)])
        after = transport.backup(str(tmp_path / "after.db"))
        assert (after.waiting - before.waiting, after.failed - before.failed) == (2, 1)
        assert (after.path, after.size) == (str(tmp_path / "after.db"), Path(after.path).stat().st_size)

"""A file for each test, and a transport on it."""

from __future__ import annotations

import os

import pytest

from cronq.transports.sqlite import SqliteTransport


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "queue.db")


@pytest.fixture
def transport(path):
    made = SqliteTransport(path, busy_timeout_s=0.05)
    yield made
    made.close()


@pytest.fixture
def synced(monkeypatch):
    """The files that were synced by us, in their order."""
    found = []

    def sync(descriptor):
        found.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fdatasync(descriptor)

    fdatasync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", sync)
    return found

"""Copying everything that a transport keeps."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from cronq.namedtuple import NamedTuple


class Copy(NamedTuple):
    """A copy of everything a transport keeps: its file and size in bytes, how many messages wait or failed in it."""

    path: str
    size: int
    waiting: int
    failed: int


@runtime_checkable
class Copies(Protocol):
    """Writes copies of everything into files, and puts one back."""

    def backup(self, path: str) -> Copy:
        """Write a copy of everything to the file at `path` (absolute), while others work. Raises CronqError."""

    def restore(self, path: str) -> Copy:
        """Replace everything by what the copy at `path` holds; nobody may consume meanwhile. Raises CronqError."""

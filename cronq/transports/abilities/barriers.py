"""Keeping the terms of messages: blocking those that may not run yet, and freeing them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Barriers(Protocol):
    """Keeps unique and running keys, rates, batches and groups, and has tasks that are paused wait."""

    def pause_task(self, task: str, paused: bool) -> None:
        """Let no message of a task be reserved, or let it again."""

    def paused_tasks(self) -> list[str]:
        """Return the names of the paused tasks."""

    def results(self, group_id: str) -> dict[int, bytes | None]:
        """Return the kept results of a group's parts, by part; those that were removed are not there.

        They are kept from the end of each part to the end of the message that `waits_for` the group.
        """

"""Looking at single messages, wherever they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from cronq.messages.message import Message, Record, State
    from cronq.transports.selection import Selection, Statistic


@runtime_checkable
class Search(Protocol):
    """Finds messages by their id, and lists those in one state."""

    def find(self, message_id: str) -> Record | None:
        """Return everything known of one message, None when it is gone or never was."""

    def starting_with(self, digits: str, at_most: int) -> list[str]:
        """Return ids that begin with these digits, in order; none for what is no beginning of an id."""

    def held_at(self, holder: str, position: int) -> Message | None:
        """Return what `holder` has reserved under a position, such as the one that a slot's note says it runs.

        None when it has ended.
        """

    def select(self, selection: Selection) -> list[Record]:
        """Return one page of the messages that a selection names."""

    def statistics(self, selection: Selection) -> list[Statistic]:
        """Count the first `at_most` of the messages that a selection names, by queue, task and class of exception.

        They come in no order.
        """

    def browse(self, state: State, queue: str | None = None, at_most: int = 50) -> list[Record]:
        """Return messages in one state: the next to run first, the longest failed first, the first to go first."""

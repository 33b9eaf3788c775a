"""What every transport can do: all that consumers need, and ticks for the consumers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.messages.message import Message, Outcome
    from cronq.transports.exchange import Evidence, Exchange, Held, Want
    from cronq.transports.verdict import Rescued

    Shown = Callable[[Mapping[str, str]], object]


@runtime_checkable
class Queues(Protocol):
    """Takes messages, lets them be reserved, and takes back what the dead had reserved."""

    def has(self, ability: type) -> bool:
        """Tell whether this transport has another ability as well. See `demanded`."""

    def enqueue(self, messages: Sequence[Message], shown: Shown = ...) -> Mapping[str, str]:
        """Put all messages into their queues, or none. When this returns they survive a power cut.

        Return which of them were absorbed (`unique_key`) by which message that was there already, as ids. `shown` is
        told the same as soon as others can see them, which may be before they survive one. Raises SyncError when they
        are in their queues and may not survive.
        """

    def exchange(self, holder: str, outcomes: Sequence[Outcome], want: Want | None) -> Exchange:
        """Write down how attempts of `holder` ended and reserve the next messages for it, in one commit."""

    def held(self) -> list[Held]:
        """Return who has messages reserved."""

    def extend(self, holder: str, until: float) -> int:
        """Lengthen every reservation of `holder` to `until`; return how many."""

    def rescue(self, holder: str, evidence: Evidence) -> Rescued:
        """Take back what a dead holder had reserved; fail what has no attempt left, with the cause of death."""

    def depth(self, queues: Sequence[str], at_most: int, without_tasks: Sequence[str] = ()) -> int:
        """Count messages ready now in `queues`, stopping at `at_most`: the price must not grow with the backlog.

        Messages of `without_tasks` do not count.
        """

    def next_at(self, queues: Sequence[str], without_tasks: Sequence[str] = ()) -> float | None:
        """Return when the next delayed message of `queues` becomes ready; None when there is none.

        Messages of `without_tasks` do not count.
        """

    def is_busy(self) -> bool:
        """Tell a signal handler whether this thread is in the middle of a transaction; True also when unknown."""

    def close(self) -> None:
        """Give up connections. The transport opens new ones when it is used again."""

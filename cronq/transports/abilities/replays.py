"""Taking what was kept elsewhere while the store could not be written, each message once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.host.spool import Mark
    from cronq.messages.message import Message
    from cronq.transports.abilities.queues import Shown


@runtime_checkable
class Replays(Protocol):
    """Remembers how far each spool was replayed, in the commit that takes its messages."""

    def replayed(self, spool: str) -> Mark | None:
        """Return how far the spool of this id was replayed; None for not at all."""

    def replay(
        self, spool: str, before: Mark | None, after: Mark, messages: Sequence[Message], shown: Shown = ...
    ) -> Mapping[str, str] | None:
        """Put messages into their queues, and remember the spool as replayed up to `after`, in one commit.

        None, and nothing done, when it no longer stands at `before`: somebody else has replayed it. Otherwise as
        `Queues.enqueue`, and messages whose ids are there already are passed over.
        """

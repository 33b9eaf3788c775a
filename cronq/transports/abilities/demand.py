"""Asking a transport for an ability that not every one has: the only place that refuses when it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cronq.errors import UsageError
from cronq.transports.abilities.copies import Copies
from cronq.transports.abilities.replays import Replays
from cronq.transports.abilities.shared_transactions import SharedTransactions

if TYPE_CHECKING:
    from typing import TypeVar

    from cronq.transports.abilities.queues import Queues

    Ability = TypeVar("Ability")

REFUSALS: dict[type, str] = {
    Copies: "copy what it keeps: it has no file of its own; copy and restore it with the tools of its server",
    Replays: "take messages out of a spool: set spool = false",
    SharedTransactions: (
        "be part of your transaction: its queues are in no database; enqueue after its commit, or use app.outbox()"
    ),
}
"""What a transport cannot do without an ability, and what to do then."""


def demanded(transport: Queues, ability: type[Ability]) -> Ability:
    """Return the transport as one that has the ability. Raises UsageError when it has not."""
    if not transport.has(ability):
        raise UsageError(f"this transport cannot {REFUSALS[ability]}")
    return cast("Ability", transport)

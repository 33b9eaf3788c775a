"""What the terms of messages mean, the same for every transport. Pure."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from cronq.messages.message import WAITING, WHILE_WAITING, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cronq.messages.message import Ack, Message
    from cronq.messages.rate import Meter, Rate

_ALL = 1_000_000_000
KEPT_FOR_GROUP_S = 90 * 86400.0  # a callback that has not run by then finds no results


def absorbs(state: State, unique_until: float, now: float) -> bool:
    """Tell whether a message in this state lets no second one of its unique key in."""
    if state in WAITING and unique_until == WHILE_WAITING:
        return True
    return unique_until > now and (state in WAITING or state is State.RESERVED or unique_until < inf)


def replaced(standing: Message, new: Message, latest_at: float) -> Message:
    """Return a waiting message with the arguments and the delay of a later one, but no later than `latest_at`.

    It stays the part of its group, the callback and the step of the chain that it was.
    """
    return new._replace(
        id=standing.id,
        available_at=min(new.available_at, latest_at),
        follow=new.follow or standing.follow,
        group_id=standing.group_id,
        part=standing.part,
        waits_for=standing.waits_for,
        replaces=0.0,
    )


def own_keep_until(ack: Ack, now: float) -> float | None:
    """Return until when an acked message is kept: for its result, and as long as it is unique; None: it is not."""
    unique_until = ack.message.unique_until
    latest = max(now + ack.keep_s, unique_until if unique_until < inf else 0.0)
    return latest if latest > now else None


def goes_on(ack: Ack) -> bool:
    """Tell whether what follows an acked part of a group is the same part: the next step of its chain."""
    part = (ack.message.group_id, ack.message.part)
    return any((one.group_id, one.part) == part for one in ack.then)


def is_left(state: State) -> bool:
    """Tell whether a part of a group in this state is still to be done. A failed one is, until it is removed."""
    return state is not State.DONE


def allowed(meter: Meter, name: str, rates: Mapping[str, Rate] | None, now: float) -> int:
    """Return how many of those that wait for a rate may go now: as it was stored, or under the rates in force.

    A meter that lies ahead, since the clock was set back, lets one be looked for: whoever reserves stores it anew.
    """
    if rates is not None:
        rate = rates.get(name)
        if rate is None:
            return _ALL
        meter = meter.under(rate)
    return meter.room(now) or int(meter.is_ahead(now))

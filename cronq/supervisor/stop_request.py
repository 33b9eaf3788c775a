"""Stopping messages that are being run: the wish is stored with them, and whoever runs them here is told."""

from __future__ import annotations

import signal
from enum import Enum
from typing import TYPE_CHECKING

from cronq.host.process import host_name, send
from cronq.messages.holder import Holder
from cronq.supervisor.rescue import INLINE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.transports.abilities.controls import Controls


class Reach(Enum):
    """How a running message is reached: its consumer was told, or its task has to look at `context.should_stop`."""

    TOLD = "its consumer was told"
    INLINE = "it runs in a web process, which must not be interrupted"
    ELSEWHERE = "it runs on another host, which is not told"
    GONE = "its consumer is gone"


def stop(transport: Controls, message_ids: Sequence[str]) -> Mapping[str, Reach]:
    """Ask for the end of messages that are being run; return how each is reached. The others are not in it."""
    holders = transport.ask_to_stop(message_ids)
    return {message_id: _tell(holder) for message_id, holder in holders.items()}


def _tell(name: str) -> Reach:
    """Have a consumer of this host look which of its messages are to be stopped: `consumer.alarm` hears SIGALRM."""
    try:
        holder = Holder.parse(name)
    except ValueError:
        return Reach.ELSEWHERE
    if holder.host != host_name():
        return Reach.ELSEWHERE
    if holder.slot.startswith(INLINE):
        return Reach.INLINE
    return Reach.TOLD if send(holder, signal.SIGALRM) else Reach.GONE

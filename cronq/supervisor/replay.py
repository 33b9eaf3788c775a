"""Putting what lies in the spool into its queues: by the tick, by consumers that look at them, after a response.

Nobody holds the lock of the spool while the store is written, so that who enqueues never waits for a replay. What
keeps two from replaying the same is the store: it moves the mark of the spool on in the commit that takes the messages,
and takes them only from whoever knew where it stood. So a kill at any moment neither loses one nor runs one twice.
"""

from __future__ import annotations

from cronq.errors import TransportError
from cronq.events import emit
from cronq.transports.spool_choice import reserve_room, spool_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.host.spool import Mark, Spool
    from cronq.host.state_dir import StateDir
    from cronq.messages.message import Message
    from cronq.transports.abilities.queues import Queues
    from cronq.transports.abilities.replays import Replays
else:
    Protocol = object  # the tick does without typing

BUDGET_S = 0.3  # of the second that a tick may take
PATIENCE_S = 0.2  # for who writes into the spool: whoever replays comes again
AT_ONCE = 64 * 1024  # bytes of messages, a transaction of some milliseconds
MANY = 1 << 40  # bytes: more than any spool has
LOOK_EVERY_S = 1.0
LOOK_AGAIN_S = 10.0  # while the store cannot be written


class Replaying(Protocol):
    """Where a spool is replayed: a Supervisor, or an Installation."""

    @property
    def settings(self) -> Settings: ...
    @property
    def state(self) -> StateDir: ...
    @property
    def transport(self) -> Queues: ...
    @property
    def clock(self) -> Clock: ...


def look_after(place: Replaying) -> bool:
    """Reserve room for the spool while there is some, and replay what lies in it. True: all is as it should be.

    What keeps it from that is written to the log: all stays where it is, and other work goes on.
    """
    spool = spool_of(place.settings, place.state, PATIENCE_S)
    if spool is None:
        return True
    try:
        is_empty = not spool.look() or _replay(place, spool)
        return is_empty and (not place.settings.spool or reserve_room(spool))
    except (TransportError, OSError) as error:
        emit("trouble", error=error)
        return False


def is_waiting(place: Replaying) -> bool:
    """Tell whether something lies in the spool."""
    spool = spool_of(place.settings, place.state, PATIENCE_S)
    try:
        return spool is not None and spool.look()
    except OSError as error:
        emit("trouble", error=error)
        return False


def lying_in(place: Replaying) -> list[Message]:
    """Return the messages that lie in the spool. Raises OSError."""
    spool = spool_of(place.settings, place.state, PATIENCE_S)
    known = spool.name() if spool is not None and spool.look() else None
    if spool is None or known is None:
        return []
    part = spool.read(_begin(_known_mark(place, known[0]), known[1]), MANY)
    return [] if part is None else _messages(part.records)


def _known_mark(place: Replaying, name: str) -> Mark | None:
    try:
        return _store(place).replayed(name)
    except TransportError:  # which says itself what is wrong
        return None


def _replay(place: Replaying, spool: Spool) -> bool:
    """Replay part by part until nothing is left, or the time for it is over."""
    until, store = place.clock.monotonic() + BUDGET_S, _store(place)
    while place.clock.monotonic() < until:
        known = spool.name()
        if known is None or _replay_part(place, store, spool, *known):
            return True
    return False


def _store(place: Replaying) -> Replays:
    from cronq.transports.abilities.demand import demanded
    from cronq.transports.abilities.replays import Replays

    return demanded(place.transport, Replays)


def _begin(known: Mark | None, generation: int) -> Mark:
    from cronq.host.spool import BEGIN, Mark

    return known if known is not None and known.generation == generation else Mark(generation, BEGIN)


def _replay_part(place: Replaying, store: Replays, spool: Spool, name: str, generation: int) -> bool:
    """Replay some records; tell whether those were the last, and the spool is empty.

    A part without records is one that was committed, and perhaps not yet on the disk, when somebody was killed: the
    commit of the mark alone has it synced, and then it may go.
    """
    before = store.replayed(name)
    if before is not None and before.generation > generation and spool.name() != (name, generation):
        return False  # it was cleared meanwhile; otherwise put back from an older copy
    part = spool.read(_begin(before, generation), AT_ONCE)
    if part is None:
        return False
    if not part.records and part.begin != before:
        return spool.clear(part.end)  # of what a kill left: half a record, or records that were replayed
    messages = _messages(part.records)
    absorbed = store.replay(name, before, part.end, messages, lambda absorbed: _ring(place, messages))
    if absorbed is None:
        return False
    _tell(messages, absorbed)
    return spool.clear(part.end)


def _messages(records: tuple[bytes, ...]) -> list[Message]:
    from cronq.messages.parcel import unpacked

    return [message for record in records for message in unpacked(record)]


def _ring(place: Replaying, messages: list[Message]) -> None:
    from cronq.host.bell import ring

    for queue in {message.queue for message in messages}:
        ring(place.state.wake(queue))


def _tell(messages: list[Message], absorbed: Mapping[str, str]) -> None:
    if absorbed:
        emit("absorbed", absorbed=absorbed, messages=[one for one in messages if one.id in absorbed])
    if messages:
        emit("submitted", messages=[one for one in messages if one.id not in absorbed])
        emit("replayed", messages=messages)


class SpoolWatch:
    """Replays between two ticks, whenever its consumer looks at its queues: a second after there is room again."""

    def __init__(self, place: Replaying) -> None:
        self._place = place
        self._look_at = 0.0  # monotonic

    def looked(self, busy: bool) -> None:
        """Look after the spool, but not all the time."""
        now = self._place.clock.monotonic()
        if now >= self._look_at:
            is_done = look_after(self._place)
            self._look_at = now + (LOOK_EVERY_S if is_done else LOOK_AGAIN_S)

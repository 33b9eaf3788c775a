"""What consumers ask a transport for, what they get, who holds what, and what is known of the dead among them."""

from __future__ import annotations

from types import MappingProxyType

from cronq.messages.attempts import KILLED
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:  # which most ticks need none of
    from collections.abc import Mapping, Sequence

    from cronq.messages.message import Message
    from cronq.messages.rate import Rate


class Want(NamedTuple):
    """A request for messages: from the first of `queues` that has some, then the next, at most `limit` in all.

    `until` is the wall time at which the reservation lapses for *other hosts* (on the holder's own host its
    kernel lock decides), `position` numbers the first message reserved. Messages of `without_tasks` are left there.
    `rates` are those in force, by name (`cronq.messages.reasons`); what waits for another one need wait no longer.
    `is_expected`: one has just been seen, or announced by a bell, so a transport need not look before it takes.
    """

    queues: Sequence[str]
    until: float
    limit: int
    position: int
    without_tasks: Sequence[str] = ()
    rates: Mapping[str, Rate] = MappingProxyType({})
    is_expected: bool = False


class Those(NamedTuple):
    """The messages of some queues, without those of some tasks."""

    queues: Sequence[str]
    without_tasks: Sequence[str] = ()


class Exchange(NamedTuple):
    """What an exchange brought. `lost` are outcomes that came too late: the reservation was no longer ours.

    `messages` are plain ones, or one batch: those with `gather` come alone, up to so many whatever the limit was.
    """

    messages: list[Message]
    lost: list[str]
    more: bool


class Held(NamedTuple):
    """How many messages one holder has reserved, and when the earliest of them lapses."""

    holder: str
    messages: int
    until: float


class Evidence(NamedTuple):
    """What is known of a dead holder.

    Its messages with a position below `finished_below` had finished and are acked; the one at `running` had started.
    When this is `certain` (noted by the dead itself since the last boot), all others never started, and their
    attempt is taken back; otherwise any of them may have started, and the attempt counts.
    `error_class` says in one word what `cause` says for people (`messages.attempts`). `prefix` is what names have in
    storage and nobody is told.
    """

    cause: str
    finished_below: int = 0
    running: int | None = None
    certain: bool = False
    error_class: str = KILLED
    prefix: str = ""

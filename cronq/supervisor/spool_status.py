"""How full the spool is, for people."""

from __future__ import annotations

from cronq.namedtuple import NamedTuple
from cronq.supervisor.replay import PATIENCE_S, lying_in
from cronq.transports.spool_choice import spool_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.supervisor.replay import Replaying


class SpoolStatus(NamedTuple):
    """`messages` lie in the spool, which fills `used` of its `size`, in bytes. `unusable` says why it keeps nothing."""

    messages: int
    used: int
    size: int
    unusable: str | None = None


def spool_status(place: Replaying) -> SpoolStatus | None:
    """Return how full the spool is; None where there is none."""
    spool = spool_of(place.settings, place.state, PATIENCE_S)
    if spool is None:
        return None
    try:
        messages, contents = len(lying_in(place)), spool.contents()
        is_reserved = spool.is_reserved()
    except OSError as error:
        return SpoolStatus(0, 0, 0, f"{spool.path}: {error.strerror}")
    missing = f"{spool.path}: has no room yet: the first that opens the queue reserves it, where there is some"
    unusable = missing if place.settings.spool and not is_reserved else None
    return SpoolStatus(messages, contents.used if messages else 0, contents.size, unusable)

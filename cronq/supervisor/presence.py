"""Who looks after which queue: proven by the locks of the slots, and told by what their holders noted. Pure.

A mark (`cronq.host.marks`) says only when somebody looked last. It counts where locks prove nothing: for consumers of
other hosts, and when a consumer is busy and `[inline] when = "unattended"`.
"""

from __future__ import annotations

from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.config.settings import Group
    from cronq.supervisor.slots import Seen


class Presence(NamedTuple):
    """The queues that consumers look after, by what those do. A queue can be in several of them.

    `ready` consumers wait for messages or are about to, `busy` ones are at a message, `elsewhere` are those of other
    hosts that have not said that they left. `dead` are the holders of this host that ended without a word.
    """

    ready: frozenset[str] = frozenset()
    busy: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    dead: tuple[str, ...] = ()

    @property
    def only_busy(self) -> frozenset[str]:
        """The queues whose consumers are all at a message."""
        return self.busy - self.ready


def presence_of(slots: Sequence[Seen], groups: Sequence[Group], host: str) -> Presence:
    """Return what the slots of a state directory say to the host of that name."""
    ready: set[str] = set()
    busy: set[str] = set()
    elsewhere: set[str] = set()
    dead: list[str] = []
    served = {group.name: group.queues for group in groups}
    for seen in slots:
        note = seen.live_note
        if seen.is_live and not seen.is_inline:
            if note is None:  # it has just taken the slot
                ready.update(served.get(seen.group, ()))
            elif not note.has_left:
                (ready if note.is_idle else busy).update(note.queues)
        elif not seen.is_live and seen.note is not None and not seen.note.has_left:
            if seen.note.holder.host == host:
                dead.append(str(seen.note.holder))
            else:
                elsewhere.update(seen.note.queues)
    return Presence(frozenset(ready), frozenset(busy), frozenset(elsewhere), tuple(dead))


def unattended(queues: Sequence[str], presence: Presence, fresh: Mapping[str, bool], steps_in: bool) -> tuple[str, ...]:
    """Return those of `queues` that nobody looks after, in their order.

    `fresh` tells of a queue whether its mark is younger than the grace period. With `steps_in` a queue counts as
    unattended whose consumers are all busy and have not looked for so long.
    """
    return tuple(queue for queue in queues if not _is_attended(queue, presence, fresh, steps_in))


def _is_attended(queue: str, presence: Presence, fresh: Mapping[str, bool], steps_in: bool) -> bool:
    if queue in presence.ready:
        return True
    if queue in presence.busy:
        return not steps_in or fresh[queue]
    return queue in presence.elsewhere and fresh[queue]

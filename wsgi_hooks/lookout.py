"""Looking whether somebody is there to work: once a second at most, and when a request has enqueued something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from cronq.host import marks
from cronq.host.process import host_name
from cronq.supervisor import slots
from cronq.supervisor.presence import presence_of, unattended

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cronq.transports.installation import Installation

LOOK_EVERY_S = 1.0


class Look(NamedTuple):
    """What a look found: the inline queues that nobody looks after, those whose consumers are all at a message, and

    holders that ended without a word since the last look.
    """

    unattended: tuple[str, ...] = ()
    busy: frozenset[str] = frozenset()
    dead: tuple[str, ...] = ()

    @property
    def is_calm(self) -> bool:
        """Whether there is nothing to do."""
        return not self.unattended and not self.dead

    def calls_for(self, queues: Iterable[str]) -> bool:
        """Tell whether messages that were just put into these queues need somebody."""
        return not self.is_calm or not self.busy.isdisjoint(queues)


class Lookout:
    """Looks at the slots of an installation. A look takes a tenth of a millisecond."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._buried: set[str] = set()  # dead holders that this process has told of already
        self.calm_until = 0.0  # monotonic: before that nobody need look

    def look(self) -> Look:
        """Look now."""
        installation = self._installation
        settings, state, inline = installation.settings, installation.state, installation.settings.inline
        presence = presence_of(slots.survey(state), settings.groups, host_name())
        found = Look(
            unattended(inline.queues, presence, _Marks(installation), inline.when == "unattended"),
            presence.only_busy,
            tuple(holder for holder in presence.dead if holder not in self._buried),
        )
        if found.is_calm:
            self.calm_until = time.monotonic() + LOOK_EVERY_S
        return found

    def bury(self, dead: Iterable[str]) -> None:
        """Say no more of these: what they held was taken back."""
        self._buried.update(dead)


class _Marks(dict[str, bool]):
    """Whether the mark of a queue is fresh, read when it is asked."""

    def __init__(self, installation: Installation) -> None:
        super().__init__()
        self._installation = installation

    def __missing__(self, queue: str) -> bool:
        age_s = marks.age_s(self._installation.state.alive(queue), time.time())
        return age_s is not None and age_s < self._installation.settings.inline.grace_period_s

"""What has ended in a consumer and is not written down in its queue yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer.outcomes import is_plain
from cronq.errors import SyncError, TransportError
from cronq.events import emit
from cronq.messages.message import Release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.consumer.post import Post
    from cronq.messages.message import Message, Outcome
    from cronq.transports.abilities.queues import Queues
    from cronq.transports.exchange import Exchange, Want


class Ledger:
    """The outcomes of one consumer, in the order of their ends, until they are settled.

    `followed` is told what was enqueued in the commit of an ending. `is_due`: to be settled before the next message
    starts, for from then on the note on the post says that everything before it finished well; with `each`, always.
    `late` is what follows a message that was acked before it ran. `troubles` counts failures since the last commit.
    """

    def __init__(
        self, transport: Queues, post: Post, followed: Callable[[Sequence[Message]], None], each: bool
    ) -> None:
        self._transport = transport
        self._post = post
        self._followed = followed
        self._each = each
        self._ended: list[Outcome] = []
        self.is_due: bool = False
        self.late: Sequence[Message] = ()
        self.troubles: int = 0

    def add(self, outcome: Outcome) -> None:
        """Take in how a message ended."""
        self._ended.append(outcome)
        self.is_due = self._each or not is_plain(outcome)

    def settle(self, want: Want | None = None, after: Sequence[Outcome] = ()) -> Exchange:
        """Write down what has ended and `after`, and reserve what is wanted, in one commit. Raises TransportError."""
        exchange = self._transport.exchange(self._post.holder, [*self._ended, *after], want)
        ended, self._ended, self.is_due, self.troubles = self._ended, [], False, 0
        self._tell_what_followed(ended, exchange.lost)
        for message_id in exchange.lost:
            emit("lost_reservation", message_id=message_id)
        return exchange

    def send_late(self) -> None:
        """Enqueue what is `late`. Raises TransportError: then it is to be tried again."""
        try:
            self._transport.enqueue(self.late)
        except SyncError as error:  # they are there: a second time they would be refused
            emit("trouble", error=error)
        late, self.late = self.late, ()
        self._followed(late)

    def note(self, position: int) -> None:
        """Have whoever rescues us write down what we could not: what ended well before `position` is not run again."""
        if self._ended and not is_plain(self._ended[-1]):
            return
        try:
            self._post.note_idle(position)
        except OSError as error:  # some file systems need room to overwrite as well (btrfs, ZFS)
            emit("trouble", error=error)

    def hand_over(self, never_started: Sequence[Message], position: int) -> None:
        """Settle for the last time, and give messages back. If even that fails, the note tells the rescuer."""
        self._send_late_at_last()
        last: list[Outcome] = [*self._ended, *(Release(message, uncounted=True) for message in never_started)]
        if not last:
            return
        try:
            lost = self._transport.exchange(self._post.holder, last, None).lost
            self._tell_what_followed(self._ended, lost)
        except TransportError as error:
            self.note(position)
            emit("trouble", error=error)

    def _send_late_at_last(self) -> None:
        try:
            if self.late:
                self.send_late()
        except TransportError as error:
            emit("trouble", error=error)

    def _tell_what_followed(self, ended: Sequence[Outcome], lost: Sequence[str]) -> None:
        for outcome in reversed(ended):
            if is_plain(outcome):  # so are all before it
                return
            if outcome.message.id not in lost and not isinstance(outcome, Release) and outcome.then:
                self._followed(outcome.then)

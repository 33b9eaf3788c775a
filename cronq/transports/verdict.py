"""What becomes of the messages that a dead consumer held, by what is known of it."""

from __future__ import annotations

from cronq.messages.attempts import STOPPED, Cause
from cronq.messages.message import UNLIMITED, Ack, Fail, Release
from cronq.namedtuple import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.message import Message, Outcome
    from cronq.transports.exchange import Evidence


class Rescued(NamedTuple):
    """How the messages of a dead holder ended."""

    released: int = 0
    failed: int = 0
    finished: int = 0

    @classmethod
    def by(cls, verdicts: Sequence[Outcome]) -> Rescued:
        """Count verdicts by kind."""
        kinds = [type(verdict) for verdict in verdicts]
        return cls(released=kinds.count(Release), failed=kinds.count(Fail), finished=kinds.count(Ack))


def verdict(message: Message, evidence: Evidence) -> Outcome:
    """Say what becomes of a message whose consumer died."""
    if message.position < evidence.finished_below:
        return Ack(message)
    if message.stop:
        return _with_what_follows(stopped(message, evidence.cause), evidence.prefix)
    if evidence.certain and not _had_started(message, evidence.running):
        return Release(message, uncounted=True)
    cause = Cause(evidence.error_class, evidence.cause)
    if message.max_attempts != UNLIMITED and message.attempt >= message.max_attempts:
        return _with_what_follows(Fail(message, evidence.cause, cause), evidence.prefix)
    return Release(message, error=evidence.cause, cause=cause)


def stopped(message: Message, meanwhile: str) -> Fail:
    """Return the end of a message that is not run again, since somebody asked for its end."""
    text = f"somebody asked for its end while it was run; {meanwhile}"
    return Fail(message, text, Cause(STOPPED, text))


def _with_what_follows(fail: Fail, prefix: str) -> Fail:
    if not fail.message.follow:
        return fail
    from cronq.messages.follow import concluded

    return concluded(fail, prefix=prefix)


def _had_started(message: Message, running: int | None) -> bool:
    """Tell whether it was being run: a batch starts whole, and is noted by the position of its first message."""
    if running is None:
        return False
    return message.position == running or (message.gather > 0 and message.position > running)

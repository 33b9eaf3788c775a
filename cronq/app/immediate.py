"""Running messages the moment they are enqueued: `sync://`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer.outcomes import cause_of, concluded
from cronq.consumer.post import NoPost
from cronq.consumer.runnable import Runnable
from cronq.events import emit
from cronq.interruptions import is_interruption
from cronq.messages.message import Fail, Release

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.consumer.runner import Runner
    from cronq.messages.message import Message, Outcome
    from cronq.transports.sync import SyncTransport

    Announce = Callable[[Sequence[Message]], None]

PRUNED_AT_ONCE = 100  # results and failures: nobody else would remove them


def run_here(runner: Runner, transport: SyncTransport, failures_keep_s: float, announce: Announce) -> None:
    """Run what this thread has enqueued, here and now: what `sync://` does after every enqueue.

    There is no second attempt. When all has run, failure callbacks included, the first exception of a task reaches the
    caller, as that of a plain call would.
    """
    errors: list[BaseException] = []
    while (message := transport.take(NoPost.holder)) is not None:
        try:
            outcome = _attempt(runner, transport, message, announce)
            transport.exchange(NoPost.holder, [outcome], None)
            _announce_following(outcome, announce)
        except BaseException as error:  # the others have not failed: it is raised when they have run
            if is_interruption(error):
                raise
            errors.append(error)
    transport.prune(failures_keep_s, PRUNED_AT_ONCE)
    if errors:
        raise errors[0]


def _attempt(runner: Runner, transport: SyncTransport, message: Message, announce: Announce) -> Outcome:
    """Return how the only attempt at a message ended. Raises what the task raises, once it is written down."""
    runnable = runner.prepare(message)
    if not isinstance(runnable, Runnable):
        emit("failed", message=message, error=runnable.error)
        return runnable
    try:
        return runner.run(message, runnable)
    except BaseException as error:
        cause = cause_of(error)
        emit("failed", message=message, error=error)
        failed = concluded(Fail(message, f"{cause.error_class}: {cause.text}", cause))
        transport.exchange(NoPost.holder, [failed], None)
        _announce_following(failed, announce)
        raise


def _announce_following(outcome: Outcome, announce: Announce) -> None:
    if not isinstance(outcome, Release) and outcome.then:
        announce(outcome.then)

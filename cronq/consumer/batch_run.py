"""A batch of messages run in one call, as far as it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer.outcomes import interrupted, is_plain
from cronq.consumer.runnable import Runnable
from cronq.events import emit
from cronq.messages.message import Fail

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cronq.consumer.ledger import Ledger
    from cronq.consumer.runner import Runner
    from cronq.messages.message import Message, Outcome


def run_batch(
    runner: Runner, first: tuple[Message, Runnable], others: Iterable[Message], ledger: Ledger
) -> list[Outcome]:
    """Run `first` with those of the others that can be run in one call, and return how all ended.

    What does not decode fails alone. Those that are no plain acks come last, so that all is settled before something
    else starts. When the process is told to end, what was begun goes into the ledger.
    """
    together, failed = _prepared(runner, others)
    together.insert(0, first)
    try:
        ran = runner.run_together(together)
    except BaseException as error:
        for outcome in (*(interrupted(message, error) for message, _ in together), *failed):
            ledger.add(outcome)
        raise
    return sorted(failed + ran, key=is_plain, reverse=True)


def _prepared(runner: Runner, messages: Iterable[Message]) -> tuple[list[tuple[Message, Runnable]], list[Outcome]]:
    """Return the messages that can be run, and the ends of those that cannot."""
    together: list[tuple[Message, Runnable]] = []
    others: list[Outcome] = []
    for message in messages:
        runnable = runner.prepare(message)
        if isinstance(runnable, Runnable):
            together.append((message, runnable))
            continue
        if isinstance(runnable, Fail):
            emit("failed", message=message, error=runnable.error)
        others.append(runnable)
    return together, others

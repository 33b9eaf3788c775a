"""`cronq consume -v`: a line when a message begins, and one when it has ended. Without it none of this is imported."""

from __future__ import annotations

import os
import reprlib
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from cronq.cli.message_lists import arguments_in_line, attempts_made
from cronq.cli.text import span
from cronq.consumer.runnable import Runnable
from cronq.consumer.runner import Runner
from cronq.escape import escaped
from cronq.messages.message import Ack, Continue, Fail, Release
from cronq.messages.own_headers import label_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.messages.message import Message, Outcome

    Returned = list[object]

_ID_DIGITS = 16  # the time, and a number in it: what one process has enqueued differs in them
_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 200
_BRIEF.maxdict = _BRIEF.maxlist = _BRIEF.maxtuple = _BRIEF.maxset = 20


def narrated(verbosity: int) -> Callable[..., Runner]:
    """Return what makes runners that tell what they run, with arguments and results from the second `v` on."""
    return partial(NarratedRunner, verbosity > 1)


class NarratedRunner(Runner):
    """Prints what it runs, and how that ended."""

    def __init__(self, is_detailed: bool, *parts: Any, **named_parts: Any) -> None:
        super().__init__(*parts, **named_parts)
        self._is_detailed = is_detailed

    def prepare(self, message: Message) -> Runnable | Release | Fail:
        prepared = super().prepare(message)
        if not isinstance(prepared, Runnable):
            _tell(message, _ending(prepared))
        return prepared

    def run(self, message: Message, runnable: Runnable) -> Outcome:
        self._begin(message)
        returned: Returned = []
        began = time.monotonic()
        try:
            outcome = super().run(message, _heard(runnable, returned) if self._is_detailed else runnable)
        except BaseException:
            _tell(message, f"interrupted after {time.monotonic() - began:.2f}s")
            raise
        self._end(outcome, time.monotonic() - began, returned)
        return outcome

    def run_together(self, prepared: Sequence[tuple[Message, Runnable]]) -> list[Outcome]:
        for message, _ in prepared:
            self._begin(message)
        began = time.monotonic()
        outcomes = super().run_together(prepared)
        for outcome in outcomes:
            self._end(outcome, time.monotonic() - began, [])
        return outcomes

    def _begin(self, message: Message) -> None:
        _tell(message, "begins")
        if self._is_detailed:
            _say(f"    {arguments_in_line(message.body) or 'no arguments'}")

    def _end(self, outcome: Outcome, took_s: float, returned: Returned) -> None:
        _tell(outcome.message, _ending(outcome, took_s))
        if self._is_detailed and isinstance(outcome, Ack):
            shown = _BRIEF.repr(returned[0]) if returned else (outcome.result or b"").decode(errors="replace")
            _say(f"    -> {shown}" if shown else "    -> not known here: it ran in another process, or with others")


def _heard(runnable: Runnable, returned: Returned) -> Runnable:
    """Return the same, which leaves what the task returns in `returned` as well."""

    def run(*args: Any, **kwargs: Any) -> object:
        value = runnable.run(*args, **kwargs)
        returned.append(value)
        return value

    return runnable._replace(run=run)


def _ending(outcome: Outcome, took_s: float | None = None) -> str:
    took = "" if took_s is None else f" in {took_s:.2f}s"
    if isinstance(outcome, Fail):
        return f"failed{took}, given up: {_why(outcome)}"
    if isinstance(outcome, Continue):
        return f"a slice done{took}, goes on later"
    if isinstance(outcome, Release) and outcome.error is not None:
        return f"failed{took}, again in {span(outcome.delay_s)}: {_why(outcome)}"
    return "given back" if isinstance(outcome, Release) else f"done{took}"


def _why(outcome: Release | Fail) -> str:
    cause = outcome.cause
    return f"{cause.error_class}: {cause.text}" if cause and cause.error_class else (outcome.error or "")


def _tell(message: Message, what: str) -> None:
    label = label_of(message)
    named = f"{message.task} ({label})" if label else message.task
    _say(f"{time.strftime('%H:%M:%S')}  {named} {message.id[:_ID_DIGITS]} {attempts_made(message)}  {what}")


def _say(text: str) -> None:
    """Print a line at once: the streams of a consumer are buffered by line. Who reads may go; the work goes on."""
    try:
        print(escaped(text))  # noqa: T201 - asked for
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

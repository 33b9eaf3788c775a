"""cronq drain: run what is ready, here and now."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from cronq import events
from cronq.cli import completions
from cronq.cli.common import configured, duration, known_queues, refuse_unknown, settings_of, whole_app_of
from cronq.cli.text import count, say
from cronq.host.process import HAS_CONSUMERS
from cronq.host.requirements import no_consumers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from types import FrameType

    from cronq.app import App

    Bar = Any  # click names no type for its progress bar

NO_LIMIT_S = 7 * 86400.0
ALONE = 1_000_000_000  # messages that one process is thought to be enough for: no backlog makes it call for help
ENDS_A_MESSAGE = frozenset({"finished", "released", "failed", "ended_once"})


@configured("drain")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    shell_complete=completions.queues,
    help="Only this queue; several in strict order.",
)
@click.option("--time-limit", "time_limit_s", type=duration, help="Leave after so long, such as 55 or 10m.")
def command(context: click.Context, queues: tuple[str, ...], time_limit_s: float | None) -> int:
    """Run every message that is ready, in this process, and leave.

    Ctrl-C finishes the message that runs, gives back what has not begun, and leaves. Exits with 1 when an attempt
    failed; what is to be retried later stays in its queue until then.

    Example: cronq drain --queue high --time-limit 10m
    """
    from cronq.runtime.assignment import ad_hoc
    from cronq.runtime.consumer_process import consume

    if not HAS_CONSUMERS:
        raise no_consumers("drain")
    settings = settings_of(context)
    app = whole_app_of(settings)
    counts = app.transport.counts()
    known = list(dict.fromkeys([*known_queues(settings), *(one.queue for one in counts)]))
    refuse_unknown("queue", queues, known)
    chosen = queues or tuple(known)
    assigned = ad_hoc(chosen)
    alone = assigned.group.autoscale._replace(desired_size=ALONE)
    group = assigned.group.changed(time_limit_s=time_limit_s or NO_LIMIT_S, memory_limit_mb=None, autoscale=alone)
    with _bar(sum(one.ready for one in counts if one.queue in chosen)) as bar:
        report = Report(bar)
        events.listeners.append(report)
        code = consume(settings, assigned._replace(group=group), stop_when_empty=True)
    say(f"{report.text()}, {_left(app, chosen)} left in the queues")
    return 1 if report.failures else code


class Report:
    """Listens to what the consumer does: moves the bar, and knows at the end how much was done and why it ended."""

    def __init__(self, bar: Bar | None) -> None:
        self.messages: int = 0
        self.failures: int = 0
        self._reason = ""
        self._bar = bar

    def __call__(self, name: str, facts: Mapping[str, Any]) -> None:
        if name in ENDS_A_MESSAGE and self._bar is not None:
            self._bar.length = max(self._bar.length, self._bar.pos + 1)  # tasks may enqueue more
            self._bar.update(1)
        elif name == "consumer_started":
            _answer_ctrl_c()
        elif name == "consumer_stopped":
            self.messages, self.failures = facts["messages"], facts["failures"]
            self._reason = facts["reason"]

    def text(self) -> str:
        why = "" if self._reason in {"", "all queues are empty"} else f"stopped ({self._reason}): "
        return f"{why}ran {count(self.messages, 'message')}, {self.failures} failed"


def _bar(ready: int) -> AbstractContextManager[Bar | None]:
    if not sys.stderr.isatty():
        return nullcontext()
    bar: AbstractContextManager[Bar] = click.progressbar(length=ready, label="messages", file=sys.stderr, show_pos=True)
    return bar


def _answer_ctrl_c() -> None:
    """Say at once that Ctrl-C was heard: the consumer, whose handler takes the note, finishes its message first."""
    take_note = signal.getsignal(signal.SIGINT)

    def answer(number: int, frame: FrameType | None) -> None:
        os.write(2, b"\nfinishing the message that runs\n")
        if callable(take_note):
            take_note(number, frame)

    signal.signal(signal.SIGINT, answer)


def _left(app: App, queues: tuple[str, ...]) -> int:
    return sum(one.ready + one.delayed for one in app.transport.counts() if one.queue in queues)

"""Signals (blinker) for programs that want to know what happens: `signals.finished.connect(receiver)`.

A receiver is called as `receiver(name, **facts)` in the process where the thing happened: in a consumer, in a web
process that works inline, or where a message is enqueued. What it raises is reported, never passed on.
The tick imports no project, so what cron's ticks do (`ticked`, most of `rescued`, `submitted` by a schedule) is heard
only of ticks that a consumer runs, in a burst; all of it is in the event log.
Importing this module is what connects it to cronq's events; a program that does not import it pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blinker import Signal

from cronq import events

if TYPE_CHECKING:
    from collections.abc import Mapping

submitted: Signal = Signal("`messages` were put into their queues.")
reserved: Signal = Signal("`message` was taken for work and is about to run.")
finished: Signal = Signal("`message` was run without an error.")
released: Signal = Signal("An attempt at `message` ended in `error`; the next one comes in `delay_s` seconds.")
failed: Signal = Signal("`message` went to the failure queue because of `error`.")
timed_out: Signal = Signal("An attempt at `message` took longer than its timeout.")
rescued: Signal = Signal("The messages of a dead `holder` were taken back: `released`, `failed`, `finished` counts.")
consumer_started: Signal = Signal("A consumer begins to serve `queues` in `slot`.")
consumer_stopped: Signal = Signal(
    "The consumer in `slot` leaves for `reason`, after `messages` of which `failures` failed."
)
ticked: Signal = Signal("A tick has done its `plan`.")

_BY_NAME = {
    "submitted": submitted,
    "reserved": reserved,
    "finished": finished,
    "released": released,
    "failed": failed,
    "timed_out": timed_out,
    "rescued": rescued,
    "consumer_started": consumer_started,
    "consumer_stopped": consumer_stopped,
    "ticked": ticked,
}


def _forward(name: str, facts: Mapping[str, object]) -> None:
    signal = _BY_NAME.get(name)
    if signal is not None:
        for receiver in signal.receivers_for(name):
            receiver(name, **facts)


events.listeners.append(_forward)

"""A runner that isolates, with its app at hand; its children are real."""

from __future__ import annotations

import ctypes
import faulthandler
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any

from cronq import events
from cronq.clock import SystemClock
from cronq.consumer.isolation_choice import isolation
from cronq.consumer.leftovers import Leftovers
from cronq.consumer.runner import Runner
from cronq.consumer.stops import Stops
from tests.consumer.bench import runnable
from tests.making import app, message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from cronq.messages.message import Outcome
    from tests.making import SettingsFields


class Cell:
    """Runs messages of one task, each in a process of its own."""

    def __init__(self, **settings: Unpack[SettingsFields]) -> None:
        self.told_to_leave = False
        self.app = app(**settings)
        clock = SystemClock()
        self.wanted: list[str] = []
        stops = Stops(clock, lambda: self.wanted, is_leaving=lambda: self.told_to_leave)
        self.runner = Runner(self.app.runner_tasks(), clock, stops=stops)
        self.runner.own_process(isolation(clock, stops), Leftovers())
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        events.listeners.append(lambda name, facts: self.events.append((name, facts)))

    def run(self, function: Any, *, body: bytes = b"{}", attempt: int = 1, **options: Any) -> Outcome:
        self.app.task(name="shop.task", **{"isolated": True, **options})(function)
        sent = message(task="shop.task", body=body, attempt=attempt)
        return self.runner.run(sent, runnable(self.runner, sent))

    def told(self) -> list[str]:
        return [name for name, _ in self.events]


@contextmanager
def streams():
    """The streams of a consumer, which write to its descriptors 1 and 2; pytest's own write to files."""
    with (
        open(1, "w", closefd=False) as out,
        open(2, "w", closefd=False) as err,
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        yield


def crash():
    faulthandler.disable()  # pytest's
    ctypes.string_at(0)


def fail(text: str = "boom"):
    raise ValueError(text)


def nothing():
    pass

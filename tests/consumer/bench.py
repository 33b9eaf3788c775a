"""A runner with its app at hand, and one message run by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer.runnable import Runnable
from cronq.consumer.runner import Runner
from tests.clocks import FakeClock
from tests.making import app, message

if TYPE_CHECKING:
    from typing import Unpack

    from cronq.messages.message import Message
    from tests.making import SettingsFields


class Bench:
    """An app, a runner, and one message run by it."""

    def __init__(self, **settings: Unpack[SettingsFields]) -> None:
        self.clock = FakeClock()
        self.app = app(self.clock, **settings)
        self.runner = Runner(self.app.runner_tasks(), self.clock)

    def run(self, function, *, attempt=1, queue="high", headers=b"", body=b"{}", **options):
        self.app.task(name="shop.task", **options)(function)
        sent = message(queue, task="shop.task", body=body, attempt=attempt, headers=headers)
        call = self.runner.prepare(sent)
        return self.runner.run(sent, call) if isinstance(call, Runnable) else call


def runnable(runner: Runner, sent: Message) -> Runnable:
    """Return a message made ready to be run."""
    call = runner.prepare(sent)
    assert isinstance(call, Runnable)
    return call


def raising(error: BaseException):
    def task():
        raise error

    return task

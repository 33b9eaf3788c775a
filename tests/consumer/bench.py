"""A runner with its app at hand, and one message run by it."""

from __future__ import annotations

from cronq.consumer.runnable import Runnable
from cronq.consumer.runner import Runner
from tests.clocks import FakeClock
from tests.making import app, message


class Bench:
    """An app, a runner, and one message run by it."""

    def __init__(self, **settings: object) -> None:
        self.clock = FakeClock()
        self.app = app(self.clock, **settings)
        self.runner = Runner(self.app.runner_tasks(), self.clock)

    def run(self, function, *, attempt=1, queue="high", headers=b"", body=b"{}", **options):
        self.app.task(name="shop.task", **options)(function)
        sent = message(queue, task="shop.task", body=body, attempt=attempt, headers=headers)
        call = self.runner.prepare(sent)
        return self.runner.run(sent, call) if isinstance(call, Runnable) else call


def raising(error: BaseException):
    def task():
        raise error

    return task

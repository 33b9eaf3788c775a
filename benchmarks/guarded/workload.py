"""What is counted: an app in a directory, and the few things a project does with it, without any waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.app.application import App
from cronq.config import load
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.foresight import Foresight
from cronq.consumer.lifetime import Leaving
from cronq.consumer.limits import MessageLimit
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.rest import NoRest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.supervisor import slots
from wsgi_hooks import CronqMiddleware
from wsgi_hooks.lookout import Lookout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class StandingClock:
    """Time stands still: messages take none, so that batches grow the same way in every run."""

    def now(self) -> float:
        return 1.8e9

    def monotonic(self) -> float:
        return 1000.0


def noop() -> None:
    """The task."""


class Workload:
    """An app with one task that does nothing, and a consumer's slot."""

    def __init__(self, directory: Path) -> None:
        (directory / "cronq.toml").write_text('interval = "60s"\n')
        self.app = App(load(str(directory / "cronq.toml")), StandingClock())
        self.task = self.app.task(queue="high")(noop)
        self.app.transport.counts()
        slot = slots.take(self.app.state, "standby", 1)
        assert slot is not None
        self._slot = slot
        self._lookout = Lookout(self.app.installation)
        self.site: Callable[..., Any] = CronqMiddleware(page, self.app)
        self.site_that_enqueues: Callable[..., Any] = CronqMiddleware(self._enqueuing_page, self.app)

    def enqueue(self, count: int) -> None:
        """Enqueue one by one."""
        for _ in range(count):
            self.task.enqueue()

    def look(self) -> None:
        """Look who is there, as a request does once a second."""
        self._lookout.look()

    def enqueue_at_once(self, count: int) -> None:
        self.task.enqueue_many([((), {})] * count)

    def drain(self, count: int) -> None:
        """Run so many messages as a consumer does."""
        clock, tally = self.app.clock, Tally()
        leaving = Leaving(tally, [MessageLimit(count)], [])
        runner = Runner(self.app.runner_tasks(), clock)
        foresight = Foresight({self.task.name: 0.001}, runner.durations, lambda: None, clock)
        conditions = Conditions(leaving, tally, NoRest(), clock, BatchSize(), foresight=foresight)
        duty = Duty(("high", "normal", "low"), 300.0)
        Consumer(self.app.transport, runner, duty, self._slot, conditions).run()
        assert tally.messages == count
        assert tally.failures == 0

    def _enqueuing_page(self, environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
        self.enqueue(10)
        return page(environ, start_response)


def page(environ: dict[str, Any], start_response: Callable[..., object]) -> list[bytes]:
    """A WSGI application that says ok."""
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "2")])
    return [b"ok"]


def serve(application: Callable[..., Any], requests: int) -> None:
    """Ask an application as a server does."""
    for _ in range(requests):
        environ = {"REQUEST_METHOD": "GET", "wsgi.file_wrapper": list}
        body = application(environ, lambda status, headers: None)
        for _chunk in body:
            pass
        if hasattr(body, "close"):
            body.close()

"""Which signals are sent on which road: enqueued plainly, from an outbox; run by a consumer, inline, sync, in a box."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from cronq import CURRENT, App, Context, GiveUp, Retry, RetryLater, events
from cronq.config.settings import Group, Inline
from cronq.consumer.lifetime import ChangedFiles
from cronq.errors import TaskTimeout
from cronq.messages.ids import new_id
from cronq.runtime import inline_drain
from cronq.runtime.assistance import Assistance
from cronq.runtime.crew import Shift, make_consumer
from cronq.schedules.stored import StoredSchedule
from cronq.supervisor import slots
from cronq.supervisor.inline_decision import Decision
from cronq.supervisor.rescue import Dead, rescue
from cronq.supervisor.schedule_runner import run_due
from cronq.supervisor.tick import Supervisor
from cronq.transports.exchange import Evidence, Held, Want
from tests.clocks import FakeClock
from tests.consumer.crew import Crew
from tests.making import ME, message, settings
from tests.making import app as make_app

if TYPE_CHECKING:
    from collections.abc import Callable


ENDS = {
    "finishes": ["reserved", "finished"],
    "raises": ["reserved", "released", "reserved", "failed"],
    "gives_up": ["reserved", "failed"],
    "asks_for_later": ["reserved", "released", "reserved", "finished"],
    "takes_too_long": ["reserved", "timed_out", "released", "reserved", "timed_out", "failed"],
    "expired": ["failed"],
    "unreadable": ["failed"],
}

PATIENT = Inline(queues=("high",), memory_limit_mb=16_000)  # this process has grown in all the tests before
"""A web process that works however large it is."""


def how(end: str, context: Context = CURRENT) -> None:
    """A task that ends as it is told."""
    match end:
        case "raises":
            raise OSError("down")
        case "gives_up":
            raise GiveUp("never")
        case "asks_for_later" if context.attempt == 1:
            raise RetryLater(0)
        case "takes_too_long":
            raise TaskTimeout("too long")


@pytest.fixture
def heard():
    """The names of signals, in the order in which they are sent."""
    from cronq import signals

    names: list[str] = []
    receivers = []
    for signal in signals._BY_NAME.values():

        def receiver(sent: str, **facts: Any) -> None:
            names.append(sent)

        signal.connect(receiver)
        receivers.append((signal, receiver))
    if signals._forward not in events.listeners:
        events.listeners.append(signals._forward)
    yield names
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def enqueue(app: App, end: str) -> None:
    task = app.task(name="shop.how", queue="high", retry=Retry(max_attempts=2, delay_s=0))(how)
    if end == "unreadable":
        before_the_code_was_loaded = f"017000000000{new_id()[12:]}"  # or it might wait for newer code
        app.transport.enqueue([message(id=before_the_code_was_loaded, task="shop.how", body=b"no json")])
    else:
        task.using(expires_s=1e-6 if end == "expired" else None).enqueue(end)


def in_a_box(end: str, home: Any) -> None:
    app = make_app()
    with app.testing() as box:
        enqueue(app, end)
        box.run_all(raises=False)


def in_a_consumer(end: str, home: Any) -> None:
    crew = Crew()
    enqueue(crew.app, end)
    crew.clock.advance(1)
    consumer = crew.consumer
    for _ in range(6):
        consumer.step()


def in_a_web_process(end: str, home: Any) -> None:
    app = App(settings(home, inline=PATIENT))
    app.state.prepare()
    enqueue(app, end)
    slot = slots.take(app.state, "inline", 1)
    assert slot is not None
    inline_drain.work(app, slot, Decision(app.settings.inline.queues, 300.0))
    slot.leave("done")


@pytest.mark.parametrize("road", [in_a_box, in_a_consumer, in_a_web_process])
@pytest.mark.parametrize("end", ENDS)
def test_every_end_of_a_message_sends_its_signals(heard, home, road: Callable[[str, Any], None], end):
    road(end, home)
    submitted = [] if end == "unreadable" else ["submitted"]
    assert heard == submitted + ENDS[end]


@pytest.mark.parametrize(
    ("end", "signals"),
    [
        ("finishes", ["submitted", "reserved", "finished"]),
        ("raises", ["submitted", "reserved", "failed"]),
        ("gives_up", ["submitted", "reserved", "failed"]),
        ("asks_for_later", ["submitted", "reserved", "failed"]),
        ("expired", ["submitted", "failed"]),
    ],
)
def test_sync_sends_signals_of_its_one_attempt(heard, end, signals):
    app = make_app(transport="sync://")
    with suppress(OSError, GiveUp, RetryLater):
        enqueue(app, end)
    assert heard == signals


def test_at_most_once_has_the_signals_of_its_end(heard):
    app = make_app()
    with app.testing() as box:
        app.task(name="shop.once", ack_first=True)(lambda: None).enqueue()
        box.run_all()
    assert heard == ["submitted", "reserved", "finished"]


@pytest.fixture
def sent():
    """The tasks of submitted messages, in the order in which they are sent."""
    from cronq import signals

    tasks: list[str] = []

    def receiver(name: str, messages: Any) -> None:
        tasks.extend(one.task for one in messages)

    signals.submitted.connect(receiver)
    if signals._forward not in events.listeners:
        events.listeners.append(signals._forward)
    yield tasks
    signals.submitted.disconnect(receiver)


def chained(app: App, home: Any) -> None:
    """Enqueue a chain of two, whose first step enqueues another message itself."""
    inner = app.task(name="shop.inner", queue="high")(lambda: None)

    def first() -> None:
        inner.enqueue()

    second = app.task(name="shop.second", queue="high")(lambda: None)
    app.chain(app.task(name="shop.first", queue="high")(first).call(), second.call()).enqueue()


def chained_in_a_box(home: Any) -> None:
    app = make_app()
    with app.testing() as box:
        chained(app, home)
        box.run_all()


def chained_in_a_web_process(home: Any) -> None:
    app = App(settings(home, inline=PATIENT))
    app.state.prepare()
    chained(app, home)
    slot = slots.take(app.state, "inline", 1)
    assert slot is not None
    inline_drain.work(app, slot, Decision(app.settings.inline.queues, 300.0))
    slot.leave("done")


def chained_in_a_consumer(home: Any) -> None:
    app = App(settings(home, transport="sqlite:///queue.db"))
    app.state.prepare()
    chained(app, home)
    group = Group("high", ("high",)).changed(time_limit_s=300.0, memory_limit_mb=None)
    slot = slots.take(app.state, "high", 1)
    assert slot is not None
    watched = ChangedFiles([], app.clock)
    shift = Shift(slot, group, app.clock.monotonic() + 300, watched, stop_when_empty=True)
    make_consumer(app, shift, Assistance(app, shift.group)).consumer.run()
    slot.leave("done")
    app.transport.close()


def chained_at_once(home: Any) -> None:
    chained(make_app(transport="sync://"), home)


@pytest.mark.parametrize("road", [chained_in_a_box, chained_in_a_web_process, chained_in_a_consumer, chained_at_once])
def test_what_follows_a_message_is_submitted_where_its_end_was_written(sent, home, road):
    road(home)
    assert sorted(sent) == ["shop.first", "shop.inner", "shop.second"]


def test_what_follows_is_not_submitted_when_the_reservation_was_lost(sent):
    crew = Crew()
    crew.consumer._ledger._followed = crew.app.enqueuer.announce

    def first() -> None:
        crew.transport.rescue(str(ME), Evidence("taken for dead"))

    second = crew.task()
    crew.app.chain(crew.task(first).call(), second.call(1)).enqueue()
    crew.consumer.step()
    crew.consumer.step()
    assert "shop.remember" not in sent


def test_an_outbox_submits_once_for_all_and_a_dropped_one_not_at_all(heard):
    app = make_app()
    task = app.task(name="shop.note")(lambda: None)

    def failing():
        with app.outbox():
            task.enqueue()
            raise ZeroDivisionError

    with app.outbox():
        task.enqueue()
        task.enqueue_many([((), {}), ((), {})])
        assert heard == []
    assert heard == ["submitted"]
    with pytest.raises(ZeroDivisionError):
        failing()
    assert heard == ["submitted"]


def test_a_rescue_is_told_with_its_counts(heard):
    app = make_app(FakeClock())
    app.transport.enqueue([message()])
    app.transport.exchange(str(ME), [], Want(("high",), 1e12, 1, 1))
    rescue(app.transport, [Dead(Held(str(ME), 1, 1e12), Evidence("killed"))])
    assert heard == ["rescued"]


def test_a_schedule_that_fires_submits(heard, home):
    app = make_app(FakeClock(), home)
    app.state.prepare()
    spec = b'{"task":"shop.x","cron":"* * * * *","tz":"UTC","args":{},"missed":"once","queue":"high","max_attempts":1}'
    app.transport.declare("code", [StoredSchedule("code", "x", "", "", spec, 999_999_960)])
    supervisor = Supervisor(app.settings, app.state, app.transport, app.clock, lambda command: False, {})
    run_due(supervisor, app.transport.schedules(), from_cron=False)
    assert heard == ["submitted"]

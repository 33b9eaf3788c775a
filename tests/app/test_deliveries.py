"""What a task's options and one enqueueing say of its message: when it is run, before which others, how long."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from cronq import App, Failure, Retry
from cronq.errors import OptionError
from cronq.schedules.spec import message_of
from tests import making
from tests.clocks import FakeClock
from tests.presence import there

if TYPE_CHECKING:
    from cronq.messages.message import Message

NOW = 1_767_225_600.0  # 2026-01-01, UTC
TOMORROW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Paid:
    order: int


def charge(order: int = 1) -> None: ...


def thank(paid: Paid) -> None: ...


def tidy(order: int = 1) -> None: ...


@pytest.fixture
def app() -> App:
    return making.app(FakeClock(NOW))


def stored(app: App, message_id: str) -> Message:
    return there(app.transport.find(message_id)).message


@pytest.mark.parametrize(
    "at",
    [TOMORROW, TOMORROW.astimezone(timezone(timedelta(hours=9))), datetime.fromisoformat("2026-01-02T01:00+01:00")],
)
def test_a_moment_is_the_same_in_every_time_zone(app, at):
    assert stored(app, app.task(charge).using(at=at).enqueue().id).available_at == NOW + 86400


def test_a_moment_that_is_past_means_at_once(app):
    assert stored(app, app.task(charge).using(at=datetime(2020, 1, 1, tzinfo=UTC)).enqueue().id).available_at == 0


def test_a_moment_without_a_time_zone_is_refused_with_what_would_be_right(app):
    with pytest.raises(
        OptionError, match=r"task .*charge: at = .*: must have a time zone, such as 2026-01-02 00:00:00\+"
    ):
        app.task(charge).using(at=datetime(2026, 1, 2))


def test_a_moment_and_a_delay_are_not_both_taken(app):
    with pytest.raises(OptionError, match="say one of them"):
        app.task(charge).using(at=TOMORROW, delay_s=5)


def test_a_timedelta_is_as_good_as_seconds(app):
    task = app.task(timeout_s=timedelta(minutes=1), result_ttl_s=timedelta(days=1))(charge)
    assert (task.options.timeout_s, task.options.result_ttl_s) == (60.0, 86400.0)
    ref = task.using(delay_s=timedelta(hours=1), expires_s=timedelta(days=1)).enqueue()
    assert stored(app, ref.id)[6:10:3] == (NOW + 3600, NOW + 86400)


def test_a_message_object_is_dispatched_at_a_moment(app):
    app.handler(thank)
    (ref,) = app.dispatch(Paid(7), at=TOMORROW)
    assert stored(app, ref.id).available_at == NOW + 86400


def test_the_first_step_of_a_chain_waits_for_its_moment(app):
    task = app.task(charge)
    ref = app.chain(task.using(at=TOMORROW).call(1), task.call(2)).enqueue()
    assert stored(app, ref.ids[0]).available_at == NOW + 86400


def test_a_later_step_waits_for_its_moment_and_is_not_late_when_that_is_past():
    app = App()
    first, last = app.task(charge), app.task(tidy)
    with app.testing() as box:
        at = datetime.fromtimestamp(app.clock.now(), UTC) + timedelta(hours=1)
        ref = app.chain(first.call(1), last.using(at=at).call(2)).enqueue()
        box.run_all()
        assert ref.progress.done == 1
        box.advance(3600)
        box.run_all()
        assert ref.progress.done == 2
        ref = app.chain(first.call(1), last.using(at=at).call(2)).enqueue()
        box.run_all()
        assert ref.progress.done == 2


def test_a_task_says_what_every_call_of_it_has(app):
    task = app.task(priority=7, expires_s=60, headers={"language": "de"})(charge)
    message = stored(app, task.enqueue().id)
    assert (message.priority, message.expires_at, json.loads(message.headers)) == (7, NOW + 60, {"language": "de"})


def test_one_enqueueing_says_otherwise_and_adds_headers(app):
    task = app.task(priority=7, expires_s=60, headers={"language": "de", "shop": "1"})(charge)
    message = stored(app, task.using(priority=0, expires_s=5, headers={"language": "en"}).enqueue().id)
    assert (message.priority, message.expires_at) == (0, NOW + 5)
    assert json.loads(message.headers) == {"language": "en", "shop": "1"}


def test_hooks_see_the_headers_of_the_task(app):
    seen = []
    app.before_enqueue(lambda headers: seen.append(dict(headers)))
    app.task(headers={"language": "de"})(charge).enqueue()
    assert seen == [{"language": "de"}]


def test_handlers_and_batch_tasks_have_them_too(app):
    app.handler(priority=3)(thank)
    (ref,) = app.dispatch(Paid(7))
    assert stored(app, ref.id).priority == 3

    def each(items: list[int]) -> None: ...

    batch = app.batch(size=5, priority=4, name="each")(each)
    assert stored(app, batch.enqueue(1).id).priority == 4


def test_steps_of_a_chain_have_those_of_their_tasks():
    app = App()
    first, last = app.task(charge), app.task(priority=7, expires_s=60, headers={"language": "de"})(tidy)
    with app.testing() as box:
        app.chain(first.call(1), last.call(2)).enqueue()
        box.run_one()
        (waiting,) = box.waiting
        message = there(app.transport.find(waiting.id)).message
        assert (message.priority, json.loads(message.headers)) == (7, {"language": "de"})
        assert message.expires_at == pytest.approx(app.clock.now() + 60, abs=1)


def test_what_follows_a_failure_has_those_of_its_task():
    app = App()

    @app.task(name="tell", priority=7, headers={"language": "de"})
    def tell(failure: Failure) -> None: ...

    app.on_failure(tell)
    task = app.task(retry=Retry(max_attempts=1))(tidy_badly)
    with app.testing() as box:
        task.enqueue()
        with suppress(ValueError):
            box.run_one()
        (waiting,) = box.waiting
        message = there(app.transport.find(waiting.id)).message
        assert (message.priority, json.loads(message.headers)) == (7, {"language": "de"})


def tidy_badly() -> None:
    raise ValueError("no")


def test_runs_of_a_schedule_have_those_of_their_task(app):
    app.cron("0 3 * * *")(app.task(priority=7, expires_s=60, headers={"language": "de"})(charge))
    (one,) = app.declarations.entries()
    message = message_of(one, NOW - 3600, NOW)
    assert (message.priority, message.expires_at) == (7, NOW + 60)
    assert json.loads(message.headers) == {"language": "de", "schedule": f"{__name__}.charge"} | {
        "due_at": "2025-12-31T23:00:00+00:00"
    }


def test_a_schedule_of_a_task_that_says_nothing_is_stored_as_ever(app):
    app.cron("0 3 * * *")(app.task(charge))
    (one,) = app.declarations.entries()
    assert "delivery" not in json.loads(one.spec)

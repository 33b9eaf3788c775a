"""`app.schedules`: adding, removing and looking at what recurs while a program runs."""

from __future__ import annotations

import json

import pytest

from cronq.errors import UsageError
from cronq.messages.attempts import Cause
from cronq.messages.message import Ack, Fail, Release
from cronq.supervisor.firing import fire_due, run_now
from cronq.transports.exchange import Want
from tests import making
from tests.clocks import FakeClock

MIDNIGHT = 1_767_225_600.0  # 2026-01-01, UTC
ME = "h/high.0/1/1/b"


@pytest.fixture
def app(home):
    app = making.app(FakeClock(MIDNIGHT), home)
    app.state.prepare()

    @app.task(name="shop.report", queue="low")
    def report(user: int, weekly: bool = False) -> None: ...

    return app


def reserved(app):
    (got,) = app.transport.exchange(ME, [], Want(["low"], 1e12, 1, 1)).messages
    return got


def test_a_schedule_is_added_with_its_arguments_checked_and_its_next_time(app):
    added = app.schedules.add("report-42", "shop.report", "0 3 * * *", args={"user": 42}, tz="Asia/Tokyo")
    assert (added.source, added.queue, added.args) == ("runtime", "low", {"user": 42})
    assert (added.next_at, added.last_result) == (MIDNIGHT + 18 * 3600, None)
    assert app.schedules.get("report-42") == added
    assert list(app.schedules.list()) == [added]


def test_a_task_may_be_given_instead_of_its_name(app):
    assert app.schedules.add("r", app.registry.get("shop.report"), "@daily", args={"user": 1}).task == "shop.report"


def test_it_fires_like_any_other(app):
    app.schedules.add("report-42", "shop.report", "0 3 * * *", args={"user": 42}, queue="high")
    app.clock.advance(3 * 3600)
    fire_due(app, app.transport.schedules())
    (got,) = app.transport.exchange(ME, [], Want(["high"], 1e12, 1, 1)).messages
    assert (got.task, json.loads(got.body)["user"]) == ("shop.report", 42)


def test_adding_a_name_again_replaces_it_and_keeps_its_place_while_its_times_are_the_same(app):
    app.schedules.add("r", "shop.report", "@daily", args={"user": 1})
    app.clock.advance(3600)
    again = app.schedules.add("r", "shop.report", "@daily", args={"user": 2})
    assert (again.args["user"], again.next_at, len(app.schedules.list())) == (2, MIDNIGHT + 86400, 1)
    assert app.schedules.add("r", "shop.report", "@hourly", args={"user": 2}).next_at == MIDNIGHT + 7200


def test_what_was_added_survives_the_start_of_a_consumer(app):
    added = app.schedules.add("r", "shop.report", "@daily", args={"user": 1})
    app.cron("@hourly", args={"user": 5}, name="code")(app.registry.get("shop.report"))
    app.declarations.register()
    app.declarations.register()
    assert app.schedules.get("r") == added
    assert [one.name for one in app.schedules.list()] == ["code", "r"]


def test_what_was_added_can_be_removed(app):
    app.schedules.add("r", "shop.report", "@daily", args={"user": 1})
    assert [app.schedules.remove("r"), app.schedules.remove("r"), app.schedules.get("r")] == [True, False, None]


def test_what_the_code_declares_can_be_neither_removed_nor_replaced(app):
    app.cron("@hourly", args={"user": 5}, name="code")(app.registry.get("shop.report"))
    app.declarations.register()
    with pytest.raises(UsageError, match="declared by the project's code: remove it there"):
        app.schedules.remove("code")
    with pytest.raises(UsageError, match="the project's code has one of that name"):
        app.schedules.add("code", "shop.report", "@daily", args={"user": 1})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "shop.reprot"}, "schedule r: no task is named shop.reprot; did you mean shop.report"),
        ({"args": {}}, "schedule r: task shop.report: "),
        ({"args": {"user": "ada"}}, "schedule r: task shop.report: argument 'user'"),
        ({"cron": "0 0 31 2 *"}, "never comes"),
        ({"cron": "*/70 * * * *x"}, "is no cron expression"),
        ({"cron": "61 * * * * *"}, "is no cron expression"),
        ({"cron": "H(9) * * * *"}, "H stands alone"),
        ({"cron": "@every 2"}, "a span from 1s to 24h"),
        ({"tz": "Europe/Berlni"}, "no time zone"),
        ({"missed": "never"}, "must be one of once, skip, all"),
        ({"stop_after": 0}, "stop_after = 0: must be a number of runs"),
        ({"queue": "mail"}, "no \\[\\[consumers\\]\\] entry serves it"),
        ({"every": 5}, "unexpected keyword argument 'every'"),
        ({"name": "two words"}, "no spaces"),
        ({"name": ""}, "1 to 100 characters"),
    ],
)
def test_what_could_not_work_is_refused_with_the_reason_and_not_stored(app, changes, said):
    given = {"name": "r", "task": "shop.report", "cron": "@daily", "args": {"user": 1}, **changes}
    with pytest.raises(UsageError, match=said):
        app.schedules.add(given.pop("name"), given.pop("task"), given.pop("cron"), **given)
    assert app.transport.schedules() == []


def test_one_whose_task_is_gone_from_the_code_is_refused_until_it_is_back(app):
    app.schedules.add("r", "shop.report", "@daily", args={"user": 1})
    older = making.app(app.clock)
    older.installation.transport = app.transport
    (refused,) = older.declarations.register()
    assert (refused.next_at, "no task is named shop.report" in str(refused.trouble)) == (None, True)
    (again,) = app.declarations.register()
    assert (again.next_at, again.refused) == (MIDNIGHT + 86400, None)


def test_h_fields_are_shown_as_what_they_stand_for(app):
    added = app.schedules.add("r", "shop.report", "H H * * *", args={"user": 1})
    assert added.written == "H H * * *"
    minute, hour = map(int, added.cron.split()[:2])
    time_of_day_s = 60 * minute + 3600 * hour
    assert added.next_at == MIDNIGHT + (time_of_day_s or 86400)
    assert app.schedules.add("r", "shop.report", "H H * * *", args={"user": 1}).cron == added.cron


def test_the_last_result_follows_the_run(app):
    app.schedules.add("r", "shop.report", "@daily", args={"user": 1})

    def result():
        one = app.schedules.get("r")
        return one.last_result, one.last_error

    def settle(outcome):
        app.transport.exchange(ME, [outcome], None)

    seen = [result()]
    first = run_now(app, app.transport.schedules()[0])
    seen.append(result())
    got = reserved(app)
    seen.append(result())
    settle(Release(got, delay_s=0, error="boom", cause=Cause("ValueError", "boom")))
    seen.append(result())
    settle(Fail(reserved(app), "boom", Cause("KeyError", "x")))
    seen.append(result())
    app.transport.remove([first.id])
    seen.append(result())
    run_now(app, app.transport.schedules()[0])
    settle(Ack(reserved(app)))
    seen.append(result())
    last = run_now(app, app.transport.schedules()[0])
    app.transport.remove([last.id])
    seen.append(result())
    assert seen == [
        (None, None),
        ("waiting", None),
        ("running", None),
        ("waiting", "ValueError"),
        ("failed", "KeyError"),
        ("failed", "KeyError"),
        ("done", None),
        ("gone", None),
    ]


def test_a_run_by_hand_is_the_last_run_and_leaves_the_next_time(app):
    app.schedules.add("r", "shop.report", "@daily", args={"user": 1})
    message = run_now(app, app.transport.schedules()[0])
    one = app.schedules.get("r")
    assert (one.last_message_id, one.last_at, one.next_at) == (message.id, MIDNIGHT, MIDNIGHT + 86400)


def test_a_run_by_hand_is_enqueued_though_others_fired_it_meanwhile(app):
    app.schedules.add("r", "shop.report", "@hourly", args={"user": 1}, overlap=True)
    (before,) = app.transport.schedules()
    app.clock.advance(3600)
    fire_due(app, [before])
    run_now(app, before)
    assert app.transport.depth(["low"], 9) == 2


def test_one_that_has_stopped_is_resumed(app):
    app.schedules.add("r", "shop.report", "@hourly", args={"user": 1}, stop_after=1)
    run_now(app, app.transport.schedules()[0])
    app.transport.exchange(ME, [Fail(reserved(app), "boom", Cause("KeyError", "x"))], None)
    stopped = app.schedules.get("r")
    assert (stopped.next_at, stopped.failures, stopped.stopped_at) == (None, 1, MIDNIGHT)
    assert "`cronq schedule resume r`" in stopped.trouble
    app.clock.advance(1800)
    assert [app.schedules.resume("r"), app.schedules.resume("r"), app.schedules.resume("none")] == [True, False, False]
    going = app.schedules.get("r")
    assert (going.next_at, going.failures, going.trouble) == (MIDNIGHT + 3600, 0, None)


def test_the_start_of_a_consumer_resumes_nothing(app):
    task = app.registry.get("shop.report")
    app.cron("@hourly", args={"user": 1}, stop_after=1, name="r")(task)
    app.declarations.register()
    run_now(app, app.transport.schedules()[0])
    app.transport.exchange(ME, [Fail(reserved(app), "boom")], None)
    assert [app.declarations.register()[0].stopped_at for _ in range(2)] == [MIDNIGHT, MIDNIGHT]

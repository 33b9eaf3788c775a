"""`@app.cron`, and how consumers make schedules known."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cronq.app import declarations
from cronq.errors import UsageError
from cronq.host import known_tasks
from cronq.messages.message import UNTIL_DONE
from cronq.schedules.schedule import Schedule
from cronq.schedules.spec import message_of
from tests import making
from tests.clocks import FakeClock
from tests.presence import there

if TYPE_CHECKING:
    from cronq.schedules.stored import StoredSchedule

MIDNIGHT = 1_767_225_600.0  # 2026-01-01, UTC


def tidy(days: int = 1) -> None: ...


def report() -> None: ...


@dataclass
class Paid:
    order: int


def thank(paid: Paid) -> None: ...


@pytest.fixture
def app():
    return making.app(FakeClock(MIDNIGHT))


def with_config(app, *schedules: Schedule):
    """The same app after a change of its configuration."""
    app.installation.settings = app.settings._replace(schedules=schedules)
    return app


def spec(one: StoredSchedule) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(one.spec)
    return found


NAME = f"{__name__}.tidy"


def test_cron_above_task(app):
    app.cron("0 3 * * *", tz="Asia/Tokyo", missed="all")(app.task(tidy))
    (schedule,) = app.timetable.all()
    assert schedule == Schedule(NAME, NAME, "0 3 * * *", "Asia/Tokyo", {}, "all", None)


def test_cron_below_task(app):
    app.task(queue="low", name="shop.tidy")(app.cron("0 3 * * *")(tidy))
    (schedule,) = app.timetable.all()
    assert (schedule.name, schedule.task) == ("shop.tidy", "shop.tidy")


def test_cron_below_handler(app):
    app.handler(app.cron("0 3 * * *", args={"paid": Paid(7)})(thank))
    (stored,) = app.declarations.entries()
    assert (stored.refused, spec(stored)["task"], spec(stored)["args"]) == (
        None,
        f"{__name__}.thank",
        {"paid": {"order": 7}},
    )


def test_cron_without_task_is_told(app):
    app.cron("0 3 * * *")(tidy)
    with pytest.raises(UsageError, match=r"tidy has @app\.cron and is no task"):
        app.timetable.all()


def test_several_schedules_of_one_task_need_names(app):
    task = app.cron("0 3 * * *")(app.task(tidy))
    app.cron("0 4 * * *", name="late")(task)
    with pytest.raises(UsageError, match="give one of them"):
        app.cron("0 5 * * *")(task)
    assert len(app.timetable.all()) == 2


def test_a_module_that_is_loaded_again_declares_the_same(app):
    for _ in range(2):
        app.cron("0 3 * * *")(app.task(tidy))
    assert len(app.timetable.all()) == 1


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cron": "61 * * * *"}, "is no cron expression"),
        ({"tz": "Europe/Berlni"}, "no time zone"),
        ({"missed": "never"}, "must be one of"),
        ({"stop_after": "5"}, "must be a number of runs"),
        ({"cron": "H/0 * * * *"}, "the step must be from 1 to 60"),
        ({"cron": "*/61x * * * * *"}, "is no cron expression"),
        ({"jitter": 5}, "unexpected keyword argument 'jitter'"),
    ],
)
def test_what_cannot_work_is_refused_where_it_is_written(app, below, options, said):
    given = {"cron": "0 3 * * *", **options}
    with pytest.raises(UsageError, match=said):
        app.cron(given.pop("cron"), **given)(tidy if below else app.task(tidy))


def test_a_change_of_overlap_or_stop_after_is_stored(app):
    task = app.task(tidy)
    app.cron("0 3 * * *")(task)
    app.declarations.register()
    new = making.app(app.clock)
    new.installation.transport = app.transport
    new.cron("0 3 * * *", overlap=True, stop_after=5)(new.task(tidy))
    (stored,) = new.declarations.register()
    assert (spec(stored)["overlap"], stored.stop_after, stored.next_at) == (True, 5, MIDNIGHT + 3 * 3600)


def test_h_fields_are_resolved_for_this_installation_when_they_are_stored(app):
    app.cron("H H * * *")(app.task(tidy))
    (stored,) = app.declarations.register()
    assert (spec(stored)["written"], "H" in spec(stored)["cron"], "H" in stored.timing) == ("H H * * *", False, False)
    assert app.declarations.register() == [stored]
    elsewhere = making.app(app.clock, "/elsewhere")
    elsewhere.cron("H H * * *")(elsewhere.task(tidy))
    assert spec(elsewhere.declarations.register()[0])["cron"] != spec(stored)["cron"]


def test_a_consumer_stores_code_and_configuration(app):
    app.cron("0 3 * * *", args={"days": 7})(app.task(queue="low")(tidy))
    with_config(app, Schedule("nightly", NAME, "@daily"))
    config, code = sorted(app.declarations.register(), key=lambda one: one.name)
    assert (code.source, code.next_at, spec(code)["queue"], spec(code)["args"]) == (
        "code",
        MIDNIGHT + 3 * 3600,
        "low",
        {"days": 7},
    )
    assert (config.source, config.next_at, spec(config)["queue"]) == ("config", MIDNIGHT + 86400, "low")


def test_the_retries_of_the_task_hold(app):
    from cronq import Retry

    app.cron("0 3 * * *")(app.task(retry=Retry(max_attempts=9))(tidy))
    assert spec(app.declarations.register()[0])["max_attempts"] == 9


def test_one_that_the_code_no_longer_has_is_gone(app):
    app.cron("0 3 * * *")(app.task(tidy))
    app.declarations.register()
    new = making.app(app.clock)
    new.installation.transport = app.transport
    assert new.declarations.register() == []


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Schedule("a", "shop.tydi", "@daily"), "schedule a: no task is named shop.tydi; did you mean shop.tidy"),
        (Schedule("a", "shop.tidy", "@daily", args={"days": "many"}), "schedule a: task shop.tidy: argument 'days'"),
        (Schedule("a", "shop.tidy", "@daily", args={"weeks": 1}), "schedule a: task shop.tidy: "),
        (Schedule("a", "shop.tidy", "@daily", queue="mail"), "no [[consumers]] entry serves it"),
        (Schedule("a", "shop.tidy", "0 0 30 2 *"), "never comes"),
    ],
)
def test_what_does_not_fit_the_task_is_refused_with_the_reason(app, schedule, said):
    app.task(name="shop.tidy")(tidy)
    (stored,) = with_config(app, schedule).declarations.register()
    assert stored.next_at is None
    assert said in str(stored.refused)
    assert app.declarations.entries() == [stored]


def test_one_that_was_refused_is_taken_when_its_task_is_there(app):
    with_config(app, Schedule("a", "shop.tidy", "@daily"))
    assert app.declarations.register()[0].refused
    app.task(name="shop.tidy")(tidy)
    (stored,) = app.declarations.register()
    assert (stored.refused, stored.next_at) == (None, MIDNIGHT + 86400)


def test_registering_the_same_again_writes_and_computes_nothing(app, monkeypatch):
    app.cron("0 3 * * *")(app.task(tidy))
    before = with_config(app, Schedule("bad", "nowhere", "@daily")).declarations.register()
    monkeypatch.setattr(declarations, "placed", None)
    monkeypatch.setattr(app.transport, "declare", None)
    assert app.declarations.register() == before


def test_registering_keeps_the_next_time(app):
    app.cron("0 3 * * *")(app.task(tidy))
    app.declarations.register()
    app.clock.advance(4 * 3600)
    app.cron("0 5 * * *")(app.task(report))
    assert sorted(one.next_at for one in app.declarations.register()) == [MIDNIGHT + 3 * 3600, MIDNIGHT + 5 * 3600]


def test_the_terms_of_the_task_hold_for_its_scheduled_runs(app):
    app.cron("0 3 * * *", args={"days": 7})(
        app.task(name="tidy", unique="tidy:{days}", max_running=2, result_ttl_s=9)(tidy)
    )
    (stored,) = app.declarations.register()
    message = message_of(stored, 1e9, 1e9)
    assert (message.unique_key, message.unique_until) == ("tidy tidy:7", UNTIL_DONE)
    assert (message.running_key, message.max_running) == ("tidy", 2)


def test_a_schedule_whose_task_makes_no_key_of_its_arguments_is_refused(app):
    app.cron("0 3 * * *")(app.task(name="tidy", unique=lambda days=0: days)(tidy))
    (stored,) = app.declarations.register()
    assert "the key of unique must be text" in stored.refused


def test_scheduled_items_of_a_batch_wait_for_others(app):
    def index(days: list[int]) -> None: ...

    app.cron("0 3 * * *", args={"days": 7})(
        app.batch(size=5, wait_s=2, name="index", unique=lambda days: f"day {days}")(index)
    )
    (stored,) = app.declarations.register()
    message = message_of(stored, 1e9, 1e9)
    assert (message.body, message.gather, message.available_at) == (b'{"days": 7}', 5, 1e9 + 2)
    assert message.unique_key == "index day 7"


def test_terms_are_stored_without_what_a_release_before_does_not_know(app):
    app.cron("0 3 * * *")(app.task(name="tidy", max_running=2)(tidy))
    (stored,) = app.declarations.register()
    assert spec(stored)["terms"] == {"running_key": "tidy", "max_running": 2}


@pytest.mark.parametrize("ahead_s", [3 * 3600.0, 400 * 86400.0])
def test_a_schedule_that_was_declared_while_the_clock_was_ahead_runs_when_it_is_right(home, ahead_s):
    clocks = (FakeClock(MIDNIGHT + ahead_s), FakeClock(MIDNIGHT))
    ahead, right = (making.app(clock, home=home, transport="sqlite:///queue.db") for clock in clocks)
    for app in (ahead, right):
        app.cron("0 * * * *")(app.task(tidy))
    (declared,) = ahead.declarations.register()
    known_tasks.note(ahead.state.known_tasks, [])
    os.utime(ahead.state.known_tasks, (MIDNIGHT + ahead_s, MIDNIGHT + ahead_s))  # as a consumer of that clock leaves it
    assert there(declared.next_at) > MIDNIGHT + 3600
    (placed,) = right.declarations.register()
    assert placed.next_at == MIDNIGHT + 3600
    for app in (ahead, right):
        app.transport.close()


def test_a_run_between_placing_and_storing_is_not_made_twice():
    from cronq.schedules.stored import is_of_wrong_clock

    app = making.app(FakeClock(MIDNIGHT))
    app.cron("0 0 * * *")(app.task(tidy))
    (new,) = app.declarations.register()
    ran_meanwhile = new._replace(next_at=there(new.next_at) + 86400, last_at=MIDNIGHT - 1)
    assert not is_of_wrong_clock(ran_meanwhile, new, MIDNIGHT)
    assert is_of_wrong_clock(ran_meanwhile._replace(last_at=MIDNIGHT - 3600), new, MIDNIGHT)

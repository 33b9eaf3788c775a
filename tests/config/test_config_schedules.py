from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.schedules.schedule import Schedule

if TYPE_CHECKING:
    from tests.config.conftest import Loading, Refusing

NIGHTLY = "[schedule.nightly]\ntask = 'shop.tasks.tidy'\ncron = '30 2 * * *'\n"


def test_a_schedule_has_its_defaults(loaded: Loading) -> None:
    (schedule,) = loaded(NIGHTLY).schedules
    assert schedule == Schedule("nightly", "shop.tasks.tidy", "30 2 * * *", "UTC", {}, "once", None)


def test_every_key_of_a_schedule_is_kept(loaded: Loading) -> None:
    text = (
        NIGHTLY
        + "tz = 'Europe/Berlin'\nmissed = 'all'\nqueue = 'low'\noverlap = true\nstop_after = 5\n"
        + "args = { days = 3, day = 2026-01-02 }"
    )
    (schedule,) = loaded(text).schedules
    assert schedule[3:] == ("Europe/Berlin", {"days": 3, "day": "2026-01-02"}, "all", "low", True, 5)


def test_an_environment_may_change_one_key(loaded: Loading) -> None:
    text = NIGHTLY + "[env.staging.schedule.nightly]\ncron = '@daily'"
    assert loaded(text, CRONQ_ENV="staging").schedules[0].cron == "@daily"


def test_a_variable_may_change_one_key(loaded: Loading) -> None:
    assert loaded(NIGHTLY, CRONQ_SCHEDULE_NIGHTLY_CRON="0 4 * * *").schedules[0].cron == "0 4 * * *"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("crno = '@daily'", "schedule.nightly.crno: is no key of cronq; did you mean cron?"),
        ("missed = 'never'", 'must be one of "once", "skip", "all"'),
        ("queue = 'hihg'", "must be a queue that a group serves or that has a [queues.NAME] table; did you mean high?"),
        ("tz = '../etc'", "the name of a time zone"),
        ("overlap = 'yes'", "must be true or false"),
        ("stop_after = 0", 'a whole number from 1 to 1000, or "off"'),
        ("args = [1]", "a table of arguments by name"),
        ("args = { a = [nan] }", "must not hold nan: JSON has no such number"),
    ],
)
def test_a_wrong_key_is_refused(refused: Refusing, line: str, said: str) -> None:
    (problem,) = refused(NIGHTLY + line)
    assert said in problem


@pytest.mark.parametrize("cron", ["daily", "* * * *", "* * * * * * *", "", "0;0 0 * * *", "@reboot"])
def test_what_has_not_the_form_of_a_cron_expression_is_refused(refused: Refusing, cron: str) -> None:
    (problem,) = refused(f"[schedule.nightly]\ntask = 'a.b'\ncron = '{cron}'")
    assert "schedule.nightly.cron" in problem
    assert "must be five fields" in problem


@pytest.mark.parametrize("cron", ["*/10 * * * * *", "H H(0-5) * * *", "@every 1m30s"])
def test_seconds_spans_and_h_have_the_form_of_a_cron_expression(loaded: Loading, cron: str) -> None:
    assert loaded(f"[schedule.nightly]\ntask = 'a.b'\ncron = '{cron}'").schedules[0].cron == cron


def test_a_span_that_is_none_is_refused_with_what_it_may_be(refused: Refusing) -> None:
    (problem,) = refused("[schedule.nightly]\ntask = 'a.b'\ncron = '@every day'")
    assert "a span from 1s to 24h" in problem


def test_a_schedule_needs_a_task_and_a_time(refused: Refusing) -> None:
    task, cron = refused("[schedule.nightly]\ntz = 'UTC'")
    assert ("schedule.nightly.task is missing" in task, "schedule.nightly.cron is missing" in cron) == (True, True)


@pytest.mark.parametrize("text", ["schedule = 5", "schedule.nightly = 5"])
def test_a_schedule_is_a_table(refused: Refusing, text: str) -> None:
    (problem,) = refused(text)
    assert "must be a table" in problem

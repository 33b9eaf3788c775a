"""When schedules are due: missed runs, clocks that jump, and what is refused."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cronq.errors import UsageError
from cronq.schedules import times
from cronq.schedules.expression import is_sub_minute
from cronq.schedules.schedule import ALL_AT_MOST, Schedule, due, next_at, resolved, validated

CHANGES = [  # the clocks forward, then back
    ("Europe/Berlin", datetime(2026, 3, 29), "forward"),
    ("Europe/Berlin", datetime(2026, 10, 25), "back"),
    ("America/New_York", datetime(2026, 3, 8), "forward"),
    ("America/New_York", datetime(2026, 11, 1), "back"),
    ("Australia/Lord_Howe", datetime(2026, 10, 4), "forward"),  # by half an hour
    ("Australia/Lord_Howe", datetime(2026, 4, 5), "back"),
]
DAY = 86400.0


def made(cron: str, tz: str = "UTC", **fields: Any) -> Schedule:
    return Schedule("nightly", "shop.tasks.tidy", cron, tz, **fields)


def at(text: str, tz: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp()


def runs(cron: str, tz: str, begin: datetime, days: int = 1) -> list[datetime]:
    """The due times of some local days, in local time."""
    zone = ZoneInfo(tz)
    first, last = begin.replace(tzinfo=zone), (begin + timedelta(days=days)).replace(tzinfo=zone)
    found = takewhile(lambda one: one < last.timestamp(), times.times("x", cron, tz, first.timestamp() - 1))
    return [datetime.fromtimestamp(one, UTC).astimezone(zone) for one in found]


def distances(found: list[datetime]) -> Counter[float]:
    return Counter((later.astimezone(UTC) - one.astimezone(UTC)).total_seconds() / 60 for one, later in pairwise(found))


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_daily_job_runs_once_on_every_day_whatever_the_clocks_do(tz, day, way):
    days = [(day + timedelta(days=n)).date() for n in range(-2, 3)]
    for minutes in range(0, 24 * 60, 15):
        found = runs(f"{minutes % 60} {minutes // 60} * * *", tz, day - timedelta(days=2), 5)
        assert [one.date() for one in found] == days, minutes


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_job_at_half_past_two_runs_once_on_the_day_of_the_change(tz, day, way):
    [found] = runs("30 2 * * *", tz, day)
    skipped = way == "forward" and tz != "Australia/Lord_Howe"
    assert (found.hour, found.minute) == ((3, 30) if skipped else (2, 30))
    assert found.fold == 0


@pytest.mark.parametrize("minute", [0, 10, 30, 45])
@pytest.mark.parametrize(("tz", "day", "way"), [change for change in CHANGES if "Howe" not in change[0]])
def test_an_hourly_job_runs_every_real_hour(tz, day, way, minute):
    found = runs(f"{minute} * * * *", tz, day)
    assert (len(found), set(distances(found))) == (23 if way == "forward" else 25, {60.0})


@pytest.mark.parametrize("minute", [0, 10, 30, 45])
@pytest.mark.parametrize(("day", "way"), [change[1:] for change in CHANGES if "Howe" in change[0]])
def test_an_hourly_job_is_neither_doubled_nor_lost_where_clocks_change_by_half_an_hour(day, way, minute):
    found = runs(f"{minute} * * * *", "Australia/Lord_Howe", day)
    assert (len(found), max(distances(found)), min(distances(found))) in {
        (24, 60.0, 30.0),  # a day of 23.5 hours
        (24, 90.0, 60.0),  # a day of 24.5 hours
    }


@pytest.mark.parametrize("step", [5, 10, 15, 30])
@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_job_of_every_few_minutes_keeps_its_rhythm(tz, day, way, step):
    assert set(distances(runs(f"*/{step} * * * *", tz, day))) == {float(step)}


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_job_of_every_other_hour_runs_twelve_times_a_day(tz, day, way):
    assert len(runs("0 */2 * * *", tz, day)) == 12


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_every_hour_written_out_is_every_hour(tz, day, way):
    assert runs("0 0-23 * * *", tz, day) == runs("@hourly", tz, day)


@pytest.mark.parametrize(("tz", "day", "way"), [change for change in CHANGES if change[2] == "back"])
def test_two_runs_in_every_other_hour_are_not_run_again(tz, day, way):
    assert len(runs("*/30 */2 * * *", tz, day)) == 24


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_list_of_times_is_not_run_again_when_the_hour_comes_again(tz, day, way):
    found = runs("0,45 1,2,4 * * *", tz, day)
    assert all(one.fold == 0 for one in found)
    assert len(found) == 6


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 * * * *", "7 */3 * * *", "*/20 1-3 * * *", "15 2 * * sun"])
def test_the_times_are_the_same_wherever_one_begins_to_look(tz, day, way, cron):
    whole = [one.timestamp() for one in runs(cron, tz, day - timedelta(days=1), 3)]
    assert [next_at(made(cron, tz), one) for one in whole[:-1]] == whole[1:]
    assert [next_at(made(cron, tz), one - 1) for one in whole] == whole


def test_a_yearly_job_on_the_night_of_a_change_is_found():
    assert next_at(made("30 2 29 3 *", "Europe/Berlin"), at("2025-06-01T00:00")) == at("2026-03-29T01:30")


def test_times_are_those_of_the_zone():
    assert next_at(made("0 9 * * *", "Asia/Tokyo"), at("2026-01-01T00:00")) == at("2026-01-02T00:00")


# seconds


def test_six_fields_begin_with_the_seconds():
    assert next_at(made("20 30 2 * * *"), at("2026-01-01T00:00")) == at("2026-01-01T02:30:20")
    found = list(islice(times.times("x", "*/20,5 * * * * *", "UTC", at("2026-01-01T00:00")), 5))
    assert [one % 60 for one in found] == [5.0, 20.0, 40.0, 0.0, 5.0]


def test_every_span_counts_from_the_epoch_in_every_zone():
    for tz in ("UTC", "Australia/Lord_Howe"):
        found = list(islice(times.times("x", "@every 1m30s", tz, at("2026-01-01T00:00:01")), 3))
        assert [one - at("2026-01-01T00:00") for one in found] == [90.0, 180.0, 270.0]


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_daily_job_with_seconds_runs_once_on_every_day_whatever_the_clocks_do(tz, day, way):
    for hour in range(5):
        plain = runs(f"30 {hour} * * *", tz, day - timedelta(days=1), 3)
        assert runs(f"15 30 {hour} * * *", tz, day - timedelta(days=1), 3) == [
            one + timedelta(seconds=15) for one in plain
        ]


@pytest.mark.parametrize("cron", ["*/10 * * * * *", "@every 10s"])
@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_job_of_every_few_seconds_keeps_its_rhythm(tz, day, way, cron):
    assert set(distances(runs(cron, tz, day))) == {10 / 60}


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
@pytest.mark.parametrize("cron", ["15 30 2 * * *", "0,59 0 * * * *", "*/30 */20 1-3 * * *", "@every 7m"])
def test_the_seconds_are_the_same_wherever_one_begins_to_look(tz, day, way, cron):
    whole = [one.timestamp() for one in runs(cron, tz, day, 1)]
    assert [next_at(made(cron, tz), one) for one in whole[:-1]] == whole[1:]
    assert [next_at(made(cron, tz), one - 1) for one in whole] == whole


@pytest.mark.parametrize(
    ("cron", "is_finer"),
    [
        ("* * * * *", False),
        ("@daily", False),
        ("0 * * * * *", False),
        ("30 * * * * *", True),
        ("*/10 * * * * *", True),
        ("@every 2m", False),
        ("@every 90s", True),
    ],
)
def test_what_a_tick_sees_in_time_is_left_to_it(cron, is_finer):
    assert is_sub_minute(cron) is is_finer


# H


def resolved_for(name: str, cron: str, installation: str = "/home/ada/shop") -> str:
    return resolved(made(cron)._replace(name=name), installation).cron


NAMES = [f"job-{number}" for number in range(600)]


def test_h_is_always_the_same_for_a_schedule_of_an_installation():
    assert resolved_for("nightly", "H H * * *") == resolved_for("nightly", "H H * * *") == "10 19 * * *"


def test_h_differs_between_schedules_installations_and_fields():
    assert len({resolved_for(name, "H H * * *") for name in NAMES}) > 450
    assert len({resolved_for("nightly", "H H * * *", name) for name in NAMES}) > 450
    assert (
        len(
            {
                minute == hour
                for minute, hour in (resolved_for(name, "H(0-9) H(0-9) * * *").split()[:2] for name in NAMES)
            }
        )
        == 2
    )


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        ("H * * * *", set(range(60))),
        ("0 H * * *", set(range(24))),
        ("0 0 H * *", set(range(1, 29))),
        ("0 0 1 H *", set(range(1, 13))),
        ("0 0 * * H", set(range(7))),
        ("0 H(1-4) * * *", {1, 2, 3, 4}),
        ("0 0 H(29-31) * *", {29, 30, 31}),
    ],
)
def test_h_takes_every_value_of_its_field_and_no_other(field, allowed):
    place = [part.startswith("H") for part in field.split()].index(True)
    assert {int(resolved_for(name, field).split()[place]) for name in NAMES} == allowed


@pytest.mark.parametrize(("cron", "count"), [("H/15 * * * *", 96), ("H(0-29)/10 * * * *", 72), ("H,H/30 5 * * *", 0)])
def test_h_with_a_step_begins_within_the_first_step(cron, count):
    for name in NAMES[:40]:
        found = runs(resolved_for(name, cron), "UTC", datetime(2026, 1, 1))
        assert len(found) == count or (not count and 2 <= len(found) <= 3)


def test_a_step_that_is_the_whole_field_is_one_value():
    assert all(len(runs(resolved_for(name, "H/60 3 * * *"), "UTC", datetime(2026, 1, 1))) == 1 for name in NAMES)


def test_h_goes_with_seconds_names_and_lists():
    assert resolved_for("a", "H 0 9 * * thu,H(0-1)").split()[1:5] == ["0", "9", "*", "*"]
    assert validated(made("H/10 * * * * thu")).cron == "H/10 * * * * thu"


@pytest.mark.parametrize(("tz", "day", "way"), CHANGES)
def test_a_daily_time_of_its_own_comes_once_on_every_day_whatever_the_clocks_do(tz, day, way):
    days = [(day + timedelta(days=n)).date() for n in range(-1, 2)]
    for name in NAMES[:40]:
        found = runs(resolved_for(name, "H H(0-4) * * *"), tz, day - timedelta(days=1), 3)
        assert [one.date() for one in found] == days, name


# due


def test_nothing_is_due_before_the_next_time():
    assert due(made("0 3 * * *"), at("2026-01-01T03:00"), at("2026-01-02T02:59:59")) == ()


def test_it_is_due_from_the_next_time_on():
    nine = at("2026-01-02T03:00")
    assert due(made("0 3 * * *"), nine - DAY, nine) == (nine,)


def test_a_late_tick_runs_what_it_missed_once():
    now = at("2026-01-05T12:00")
    assert due(made("0 3 * * *"), at("2026-01-01T03:00"), now) == (at("2026-01-05T03:00"),)


def test_all_runs_every_missed_time():
    found = due(made("0 3 * * *", missed="all"), at("2026-01-01T03:00"), at("2026-01-05T12:00"))
    assert found == tuple(at(f"2026-01-0{day}T03:00") for day in (2, 3, 4, 5))


def test_all_is_bounded():
    found = due(made("* * * * *", missed="all"), at("2025-01-01T03:00"), at("2026-01-05T12:00"))
    assert (len(found), found[0]) == (ALL_AT_MOST, at("2025-01-01T03:01"))


def test_skip_drops_what_is_late():
    assert due(made("0 3 * * *", missed="skip"), at("2026-01-01T03:00"), at("2026-01-05T12:00")) == ()


def test_skip_runs_what_is_as_late_as_ticks_are():
    now = at("2026-01-05T03:05")
    assert due(made("0 3 * * *", missed="skip"), now - 9 * DAY, now, on_time_s=450) == (at("2026-01-05T03:00"),)


def test_an_outage_of_years_costs_no_walk_through_every_minute(monkeypatch):
    asked = []
    plain = times._Matcher.first_after

    def first_after(self, local):
        asked.append(local)
        return plain(self, local)

    monkeypatch.setattr(times._Matcher, "first_after", first_after)
    assert due(made("* * * * *"), at("2020-01-01T00:00"), at("2026-01-05T12:00")) == (at("2026-01-05T12:00"),)
    assert len(asked) < 100


def test_a_clock_that_is_set_back_runs_nothing_twice():
    ran_at = at("2026-01-05T03:00")
    assert due(made("0 3 * * *"), ran_at, ran_at - 7200) == ()
    assert due(made("0 3 * * *"), ran_at, ran_at + 1) == ()


# what is refused


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("61 * * * *", "is no cron expression"),
        ("every day", "must be five fields"),
        ("* * * * * * *", "must be five fields"),
        ("61 * * * * *", "is no cron expression"),
        ("x * * * * *", "is no cron expression"),
        ("30 0 0 30 2 *", "never comes"),
        ("@every 10", "a span from 1s to 24h"),
        ("@every 0s", "a span from 1s to 24h"),
        ("@every 25h", "a span from 1s to 24h"),
        ("@every", "must be five fields"),
        ("", "must be five fields"),
        ("@reboot", "must be five fields"),
        ("0 r(2-4) * * *", "H is a value that stays"),
        ("R * * * * *", "H is a value that stays"),
        ("H(9) * * * *", "H stands alone, or as"),
        ("H-5 * * * *", "H stands alone, or as"),
        ("H(0-60) * * * *", "from 0 to 59"),
        ("H(5-1) * * * *", "from 0 to 59"),
        ("0 H/25 * * *", "the step must be from 1 to 24"),
        ("H/0 * * * *", "the step must be from 1 to 60"),
        ("H * * *", "must be five fields"),
        ("0 0 30 2 *", "never comes"),
        ("a b c d e", "is no cron expression"),
        ("0 0 * * mon-", "is no cron expression"),
    ],
)
def test_an_expression_that_cannot_be_kept_is_refused_with_the_reason(cron, why):
    with pytest.raises(UsageError, match=r"schedule nightly: cron = .*" + why):
        validated(made(cron))


@pytest.mark.parametrize("tz", ["Europe/Berlni", "", "/etc/passwd", "../x", "Europe", "\0"])
def test_an_unknown_time_zone_is_refused(tz):
    with pytest.raises(UsageError, match="is no time zone that this host knows"):
        validated(made("0 3 * * *", tz))


@pytest.mark.parametrize("number", [0, -1, 1001])
def test_a_stop_after_so_many_runs_is_a_number_of_runs(number):
    with pytest.raises(UsageError, match=r"stop_after = .* must be a number of runs"):
        validated(made("0 3 * * *", stop_after=number))


def test_an_unknown_policy_for_missed_runs_is_refused():
    with pytest.raises(UsageError, match="must be one of once, skip, all"):
        validated(made("0 3 * * *", missed="never"))


@pytest.mark.parametrize(
    "cron",
    [
        "@daily",
        "@hourly",
        "H H * * *",
        "*/10 * * * * *",
        "@every 1h30m",
        "0 9 * * mon-fri",
        "*/15 * * * *",
        "0 0 29 2 *",
        "0 0 l * *",
        "5  4 * * SUN",
    ],
)
def test_what_crontabs_have_is_accepted(cron):
    assert validated(made(cron)).cron == cron


MONTH = range(1, 32)  # January 2025 begins on a Wednesday
MONDAYS, SUNDAYS = {6, 13, 20, 27}, {5, 12, 19, 26}


@pytest.mark.parametrize(
    ("days", "right"),
    [
        ("13 * 5", {3, 10, 13, 17, 24, 31}),  # both say which: either is enough
        ("*/2 * 1", {13, 27}),  # one that begins with * says nothing by itself: both must fit
        ("*/1 * 1", MONDAYS),
        ("1-31 * 1", set(MONTH)),
        ("1-31/2 * 1", {*range(1, 32, 2), *MONDAYS}),
        ("1-7 * */7", {5}),
        ("1-7 * */2", {2, 4, 5, 7}),
        ("*,13 * 1", MONDAYS),
        ("13,* * 1", set(MONTH)),
        ("13,*/10 * 1", {13, 1, 11, 21, 31, *MONDAYS}),
        ("13 * *,1", {13}),
        ("13 * 1,*", set(MONTH)),
        ("13 * 1,*/6", {13, 4, 11, 18, 25, *MONDAYS, *SUNDAYS}),
        ("? * 1", MONDAYS),
        ("13 * ?", {13}),
        ("* * 7", SUNDAYS),
        ("* * 0", SUNDAYS),
        ("* * 7-7", SUNDAYS),
        ("* * SUN", SUNDAYS),
        ("* * mon-Mon", MONDAYS),
        ("* * 1-1/2", MONDAYS),
        ("* * 5-7", {3, 4, 5, 10, 11, 12, 17, 18, 19, 24, 25, 26, 31}),
        ("* * 1-7/6", MONDAYS | SUNDAYS),
        ("* * 0-7", set(MONTH)),
        ("5-5 * *", {5}),
        ("05-5 * *", {5}),
        ("5-5 jan-JAN *", {5}),
        ("6 1-1 *", {6}),
    ],
)
def test_the_days_are_those_of_a_crontab(days, right):
    assert {one.day for one in runs(f"0 0 {days}", "UTC", datetime(2025, 1, 1), 31)} == right


def test_a_range_of_one_value_is_that_value_also_among_minutes_hours_and_seconds():
    found = runs("30-30 10-10 6-6 * * *", "UTC", datetime(2025, 1, 1))
    assert [one.time().isoformat() for one in found] == ["06:10:30"]
    assert found == runs("30 10 6 * * *", "UTC", datetime(2025, 1, 1))


def test_the_days_stay_those_of_a_crontab_where_the_clocks_change():
    found = runs("30 2 */2 * sun", "Europe/Berlin", datetime(2026, 3, 1), 62)
    assert [one.day for one in found] == [1, 15, 29, 5, 19]

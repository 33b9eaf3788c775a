"""What a tick does about schedules, in memory."""

from __future__ import annotations

import errno
import json
import os
from zoneinfo import ZoneInfo

import pytest

from cronq.host.state_dir import StateDir
from cronq.messages.message import Fail, State
from cronq.schedules import times
from cronq.schedules.schedule import Schedule
from cronq.supervisor import schedule_runner
from cronq.supervisor.schedule_runner import due_now, run_due
from cronq.supervisor.tick import Supervisor
from cronq.transports.exchange import Want
from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.schemes import place_of
from tests import making
from tests.clocks import FakeClock

MIDNIGHT = 1_767_225_600.0  # 2026-01-01, UTC
HOURLY = Schedule("tidy", "shop.tasks.tidy", "0 * * * *", args={"days": 3}, queue="low")


class Site:
    """A supervisor with a clock to move, and what its ticks did."""

    def __init__(self, home, *schedules: Schedule) -> None:
        self.clock = FakeClock(MIDNIGHT)
        self.transport = MemoryTransport(self.clock)
        settings = making.settings(home, schedules=schedules)
        state = StateDir(settings.state_dir)
        state.prepare()
        self.supervisor = Supervisor(settings, state, self.transport, self.clock, lambda _: True, os.environ)

    def set(self, *schedules: Schedule) -> None:
        settings = self.supervisor.settings._replace(schedules=schedules)
        self.supervisor = self.supervisor._replace(settings=settings)

    def tick(self, after_s: float = 0.0, from_cron: bool = True) -> int:
        """Let time pass, tick, and return how many messages that brought."""
        self.clock.advance(after_s)
        before = len(self.transport.browse(State.READY, at_most=1000))
        run_due(self.supervisor, self.transport.schedules(), from_cron)
        return len(self.transport.browse(State.READY, at_most=1000)) - before

    @property
    def stored(self):
        (one,) = self.transport.schedules()
        return one


@pytest.fixture
def site(home):
    site = Site(home, HOURLY)
    assert site.tick() == 0
    return site


def test_a_schedule_of_the_configuration_is_stored_by_the_first_tick(site):
    assert (site.stored.name, site.stored.next_at) == ("tidy", MIDNIGHT + 3600)


def test_it_fires_when_it_is_due_and_not_before(home):
    site = Site(home, HOURLY._replace(overlap=True))
    site.tick()
    assert [site.tick(3599), site.tick(1), site.tick(60), site.tick(3540)] == [0, 1, 0, 1]


def test_the_message_is_that_of_the_task_with_its_arguments(site):
    site.tick(3600)
    (message,) = site.transport.exchange("h/low.0/1/1/b", [], Want(["low"], 1e12, 1, 1)).messages
    assert (message.task, message.body, message.max_attempts) == ("shop.tasks.tidy", b'{"days": 3}', 3)
    assert json.loads(message.headers) == {"schedule": "tidy", "due_at": "2026-01-01T01:00:00+00:00"}


@pytest.mark.parametrize(("missed", "enqueued"), [("once", 1), ("skip", 0), ("all", 5)])
def test_runs_that_no_tick_saw_are_made_up_for_as_asked(home, missed, enqueued):
    site = Site(home, HOURLY._replace(missed=missed))
    site.tick()
    assert site.tick(5.5 * 3600) == enqueued
    assert site.stored.next_at == MIDNIGHT + 6 * 3600


def test_skip_counts_a_run_as_missed_only_when_it_is_later_than_ticks_are(home):
    site = Site(home, HOURLY._replace(missed="skip"))
    settings = site.supervisor.settings._replace(interval_s=900.0)
    site.supervisor = site.supervisor._replace(settings=settings)
    site.tick()
    assert site.tick(3600 + 890) == 1


def test_a_clock_that_is_set_back_fires_nothing_twice(home):
    site = Site(home, HOURLY._replace(overlap=True))
    site.tick()
    assert site.tick(3600) == 1
    assert [site.tick(-1800), site.tick(1800), site.tick(3600)] == [0, 0, 1]


def test_one_that_leaves_the_configuration_is_gone(site):
    site.set()
    assert site.tick(7200) == 0
    assert site.transport.schedules() == []


def test_another_time_holds_from_the_next_tick_on(site):
    site.set(HOURLY._replace(cron="30 * * * *"))
    assert [site.tick(60), site.tick(1740)] == [0, 1]


def test_other_arguments_leave_the_next_time_as_it_is(site):
    site.set(HOURLY._replace(args={"days": 9}))
    site.tick(60)
    assert (site.stored.next_at, b'"days": 9' in site.stored.spec) == (MIDNIGHT + 3600, True)


def test_a_tick_that_a_consumer_runs_takes_no_configuration_over(site):
    site.set()
    site.tick(60, from_cron=False)
    assert site.stored.name == "tidy"


def test_what_a_consumer_found_out_is_kept_while_the_configuration_stays(site):
    completed = site.stored._replace(spec=site.stored.spec.replace(b'"low"', b'"high"'))
    site.transport.declare("config", [completed])
    site.set(HOURLY, HOURLY._replace(name="other"))
    site.tick()
    assert [b'"high"' in one.spec for one in site.transport.schedules()] == [False, True]


def test_an_expression_that_never_comes_is_refused_with_the_reason_once(home, told):
    site = Site(home, HOURLY._replace(cron="0 0 30 2 *"))
    assert [site.tick(), site.tick(3600)] == [0, 0]
    assert (site.stored.next_at, "never comes" in site.stored.refused) == (None, True)
    assert [name for name, _ in told] == ["schedule_refused"]


def test_a_time_zone_that_the_host_has_lost_stops_that_schedule_only(home, told, monkeypatch):
    site = Site(home, HOURLY, HOURLY._replace(name="berlin", tz="Europe/Berlin"))
    site.tick()

    def no_zone(key: str) -> None:
        raise KeyError(key)

    monkeypatch.setattr(times, "ZoneInfo", lambda key: no_zone(key) if key == "Europe/Berlin" else ZoneInfo(key))
    assert site.tick(3600) == 1
    assert [one.refused is None for one in site.transport.schedules()] == [False, True]


def test_a_run_that_goes_on_is_not_enqueued_again_and_that_is_said_once(site, told):
    assert [site.tick(3600) for _ in range(3)] == [1, 0, 0]
    assert (site.stored.skipped, site.stored.next_at) == (2, MIDNIGHT + 4 * 3600)
    assert [name for name, _ in told] == ["scheduled", "schedule_skipped"]


def test_a_schedule_that_has_stopped_is_told_once_by_a_tick_from_cron(home, told):
    site = Site(home, HOURLY._replace(stop_after=1))
    site.tick()
    site.tick(3600)
    (got,) = site.transport.exchange("h/low.0/1/1/b", [], Want(["low"], 1e12, 1, 1)).messages
    site.transport.exchange("h/low.0/1/1/b", [Fail(got, "boom")], None)
    site.tick(3600, from_cron=False)
    assert [site.tick(60) for _ in range(3)] == [0, 0, 0]
    assert [name for name, _ in told] == ["scheduled", "schedule_stopped"]
    assert "tidy: has stopped after 1 failed run: " in told[1][1]["reason"]


def test_a_full_disk_keeps_a_tick_from_telling_and_from_nothing_else(home, told, monkeypatch):
    site = Site(home, HOURLY._replace(name="bad", stop_after=1), HOURLY._replace(overlap=True))
    site.tick()
    (bad, _) = site.transport.schedules()
    site.transport.revise(bad, bad._replace(next_at=None, stopped_at=5.0))

    def full(path: str, text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(schedule_runner, "replace_text", full)
        assert [site.tick(3600) for _ in range(2)] == [1, 1]
    assert [name for name, _ in told] == ["scheduled", "scheduled"]
    site.tick(60)
    assert [name for name, _ in told][2:] == ["schedule_stopped"]


def test_a_schedule_that_stops_again_after_it_was_resumed_is_told_again(home, told):
    site = Site(home, HOURLY._replace(stop_after=1))
    site.tick()
    for _ in range(2):
        site.clock.wall = site.stored.next_at or 0.0
        site.tick()
        (got,) = site.transport.exchange("h/low.0/1/1/b", [], Want(["low"], 1e12, 1, 1)).messages
        site.transport.exchange("h/low.0/1/1/b", [Fail(got, "boom")], None)
        site.tick(60)
        site.transport.revise(site.stored, site.stored._replace(stopped_at=None, next_at=site.clock.now() + 3540))
    assert [name for name, _ in told].count("schedule_stopped") == 2


def test_h_fields_of_the_configuration_are_resolved_by_the_tick(home):
    site = Site(home, HOURLY._replace(cron="H H 2 2 *"))
    site.tick()
    before = site.stored
    assert ("H" in before.timing, before.refused) == (False, None)
    site.tick(60)
    assert site.stored == before


def test_hosts_that_share_a_queue_agree_on_h_fields_and_a_new_password_changes_nothing(home):
    def place(**fields):
        return place_of(making.settings(home, **fields))

    shared = place(transport="postgresql://ada:secret@db/shop")
    assert place_of(making.settings("/a", transport="postgresql://ada:secret@db/shop")) == shared
    assert place_of(making.settings("/b", transport="postgresql://ada:other@db/shop")) == shared
    assert place(transport="sqlite:///queue.db") != place_of(making.settings("/b", transport="sqlite:///queue.db"))
    assert place(transport="sqlite:///queue.db", queue_prefix="x") != place(transport="sqlite:///queue.db")


def test_an_idle_tick_writes_nothing_and_computes_nothing(site, monkeypatch):
    monkeypatch.setattr(times, "times", None)
    monkeypatch.setattr(site.transport, "declare", None)
    assert site.tick(60) == 0


def test_what_is_due_can_be_looked_at_without_firing_it(site):
    site.clock.advance(3600)
    (firing,) = due_now(site.supervisor)
    assert (firing.schedule.name, len(firing.messages)) == ("tidy", 1)
    assert site.transport.browse(State.READY) == []

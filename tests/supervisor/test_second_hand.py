"""Sub-minute schedules, fired by consumers: in memory, with clocks moved by hand."""

from __future__ import annotations

import os
from zoneinfo import ZoneInfo

from cronq.errors import TransportError
from cronq.host.state_dir import StateDir
from cronq.messages.message import Ack, State
from cronq.schedules import times
from cronq.schedules.schedule import Schedule
from cronq.schedules.spec import placed, to_store
from cronq.schedules.stored import CODE
from cronq.supervisor.second_hand import LOOK_EVERY_S, SecondHand
from cronq.supervisor.tick import Supervisor
from cronq.transports.exchange import Want
from cronq.transports.memory.transport import MemoryTransport
from cronq.transports.schemes import place_of
from tests import making
from tests.clocks import FakeClock

MIDNIGHT = 1_767_225_600.0  # 2026-01-01, UTC
PULSE = Schedule("pulse", "shop.tasks.pulse", "*/10 * * * * *", overlap=True)


class Counting(MemoryTransport):
    reads = 0

    def schedules(self):
        self.reads += 1
        return super().schedules()


class Site:
    """A host with as many consumers as a test wants, each with its hand."""

    def __init__(self, home, *schedules: Schedule) -> None:
        self.clock = FakeClock(MIDNIGHT)
        self.transport = Counting(self.clock)
        settings = making.settings(home)
        state = StateDir(settings.state_dir)
        state.prepare()
        self.place = Supervisor(settings, state, self.transport, self.clock, lambda _: True, os.environ)
        self.declare(*schedules)

    def declare(self, *schedules: Schedule) -> None:
        place = place_of(self.place.settings)
        stored = [to_store(CODE, one, one.args, "high", 3, place) for one in schedules]
        self.transport.declare(CODE, [placed(one, self.clock.now()) for one in stored])

    def ready(self) -> int:
        return len(self.transport.browse(State.READY, at_most=1000))

    def work_off(self) -> int:
        """Run everything that is ready; return how much that was."""
        got = self.transport.exchange("h/high.0/1/1/b", [], Want(["high"], 1e12, 1000, 1)).messages
        self.transport.exchange("h/high.0/1/1/b", [Ack(one) for one in got], None)
        return len(got)


def test_runs_come_when_they_are_due(home):
    site = Site(home, PULSE)
    hand = SecondHand(site.place)
    runs = []
    for _ in range(30):
        hand.looked(False)
        runs.append(site.work_off())
        site.clock.advance(1)
    assert [second for second, run in enumerate(runs) if run] == [10, 20]


def test_a_consumer_may_sleep_until_the_next_run(home):
    site = Site(home, PULSE, PULSE._replace(name="later", cron="@every 15s"))
    hand = SecondHand(site.place)
    hand.looked(False)
    assert hand.next_at() == MIDNIGHT + 10
    site.clock.advance(10)
    hand.looked(False)
    assert hand.next_at() == MIDNIGHT + 15


def test_many_consumers_fire_once(home):
    site = Site(home, PULSE)
    hands = [SecondHand(site.place) for _ in range(5)]
    for _ in range(6):
        for hand in hands:
            hand.looked(False)
        site.clock.advance(10)
    assert site.ready() == 5


def test_what_a_busy_consumer_did_not_see_is_made_up_for_by_one_run(home):
    site = Site(home, PULSE)
    hand = SecondHand(site.place)
    hand.looked(False)
    site.clock.advance(55)
    hand.looked(True)
    assert (site.ready(), hand.next_at()) == (1, MIDNIGHT + 60)


def test_a_run_that_lasts_longer_than_its_interval_is_not_enqueued_again(home, told):
    site = Site(home, PULSE._replace(overlap=False))
    hand = SecondHand(site.place)
    for _ in range(6):
        hand.looked(False)
        site.clock.advance(10)
    (stored,) = site.transport.schedules()
    assert (site.ready(), stored.skipped) == (1, 4)
    assert [name for name, _ in told] == ["scheduled", "schedule_skipped"]  # said once, not every ten seconds


def test_schedules_of_minutes_are_left_to_the_tick(home):
    site = Site(home, PULSE._replace(cron="* * * * *"), PULSE._replace(name="b", cron="@every 2m"))
    hand = SecondHand(site.place)
    for _ in range(20):
        hand.looked(False)
        site.clock.advance(60)
    assert (site.ready(), hand.next_at()) == (0, None)


def test_without_such_schedules_a_busy_consumer_asks_the_transport_seldom(home):
    site = Site(home)
    hand = SecondHand(site.place)
    for _ in range(10_000):
        hand.looked(True)
        site.clock.advance(0.005)
    assert site.transport.reads == 50 / LOOK_EVERY_S


def test_a_schedule_that_is_added_while_the_consumer_lives_is_found(home):
    site = Site(home)
    hand = SecondHand(site.place)
    hand.looked(False)
    site.declare(PULSE)
    site.clock.advance(LOOK_EVERY_S)
    hand.looked(False)
    assert site.ready() == 1


def test_one_that_is_gone_is_fired_no_more(home):
    site = Site(home, PULSE)
    hand = SecondHand(site.place)
    hand.looked(False)
    site.declare()
    site.clock.advance(10)
    hand.looked(False)
    assert (site.ready(), hand.next_at()) == (0, None)


def test_a_transport_in_trouble_costs_no_consumer_its_life(home, told, monkeypatch):
    site = Site(home, PULSE)
    hand = SecondHand(site.place)

    def fails() -> None:
        raise TransportError("the disk is full", pressure=True)

    with monkeypatch.context() as broken:
        broken.setattr(site.transport, "schedules", fails)
        hand.looked(False)
    assert ([name for name, _ in told], hand.next_at()) == (["trouble"], None)
    site.clock.advance(LOOK_EVERY_S)
    hand.looked(False)
    assert site.ready() == 1


def test_a_zone_that_the_host_has_lost_stops_that_schedule_only(home, told, monkeypatch):
    site = Site(home, PULSE, PULSE._replace(name="berlin", tz="Europe/Berlin"))
    hand = SecondHand(site.place)
    hand.looked(False)

    def some(key: str) -> object:
        if key == "Europe/Berlin":
            raise KeyError(key)
        return ZoneInfo(key)

    monkeypatch.setattr(times, "ZoneInfo", some)
    site.clock.advance(10)
    hand.looked(False)
    assert [one.refused is None for one in site.transport.schedules()] == [False, True]
    assert (site.ready(), hand.next_at()) == (1, MIDNIGHT + 20)

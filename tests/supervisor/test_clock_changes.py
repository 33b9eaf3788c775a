"""The nights on which clocks change, lived through tick by tick with the system's own clock (frozen by freezegun)."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time

from cronq.clock import SystemClock
from cronq.host.state_dir import StateDir
from cronq.messages.message import Ack
from cronq.schedules.schedule import Schedule
from cronq.supervisor.schedule_runner import run_due
from cronq.supervisor.second_hand import SecondHand
from cronq.supervisor.tick import Supervisor
from cronq.transports.exchange import Want
from cronq.transports.memory.transport import MemoryTransport
from tests import making

NIGHTS = [
    ("Europe/Berlin", datetime(2026, 3, 29)),
    ("Europe/Berlin", datetime(2026, 10, 25)),
    ("America/New_York", datetime(2026, 3, 8)),
    ("America/New_York", datetime(2026, 11, 1)),
    ("Australia/Lord_Howe", datetime(2026, 10, 4)),
    ("Australia/Lord_Howe", datetime(2026, 4, 5)),
]
DAILY = ["30 2 * * *", "45 1 * * *", "15 30 2 * * *", "H H(1-3) * * *", "H H H(1-3) * * *"]


class Night:
    """The hours around a change, with a tick and a look of a consumer at each step, and all work done at once."""

    def __init__(self, home, day: datetime, zone: str, *crons: str) -> None:
        self.begin = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        self.transport = MemoryTransport()
        schedules = tuple(Schedule(cron, "shop.tidy", cron, zone, queue="high") for cron in crons)
        settings = making.settings(home, schedules=schedules)
        state = StateDir(settings.state_dir)
        state.prepare()
        self.supervisor = Supervisor(settings, state, self.transport, SystemClock(), lambda _: True, os.environ)

    def runs(self, hours: int, step_s: int) -> list[tuple[str, datetime, float]]:
        """Live through it; return each run with its due time and how late it was."""
        hand = SecondHand(self.supervisor)
        found = []
        with freeze_time(self.begin) as frozen:
            for _ in range(0, hours * 3600, step_s):
                run_due(self.supervisor, self.transport.schedules(), from_cron=True)
                hand.looked(False)
                found += self.work_off()
                frozen.tick(timedelta(seconds=step_s))
        return found

    def work_off(self) -> list[tuple[str, datetime, float]]:
        got = self.transport.exchange("h/high.0/1/1/b", [], Want(["high"], 1e12, 1000, 1)).messages
        self.transport.exchange("h/high.0/1/1/b", [Ack(one) for one in got], None)
        headers = [json.loads(one.headers) for one in got]
        times = [datetime.fromisoformat(one["due_at"]) for one in headers]
        return [
            (one["schedule"], at, (datetime.now(UTC) - at).total_seconds())
            for one, at in zip(headers, times, strict=True)
        ]


@pytest.mark.parametrize(("zone", "day"), NIGHTS)
def test_a_nightly_job_runs_once_and_in_time(home, zone, day):
    runs = Night(home, day, zone, *DAILY).runs(hours=6, step_s=60)
    assert sorted(name for name, _, _ in runs) == sorted(DAILY)
    assert all(0 <= late < 60 for _, _, late in runs)


@pytest.mark.parametrize(("zone", "day"), NIGHTS)
def test_a_job_of_every_few_seconds_neither_pauses_nor_hurries(home, zone, day):
    runs = Night(home, day, zone, "*/20 * * * * *").runs(hours=4, step_s=20)
    first = runs[0][1]
    assert [at for _, at, _ in runs] == [first + timedelta(seconds=20 * number) for number in range(len(runs))]
    assert len(runs) == 4 * 180 - 1

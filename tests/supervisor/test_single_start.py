from __future__ import annotations

import os

import pytest

from cronq.clock import SystemClock
from cronq.config.settings import Autoscale, Group
from cronq.host import locks
from cronq.host.state_dir import StateDir
from cronq.supervisor import launches, seats, slots
from cronq.supervisor.single_start import groups_for, start_for
from cronq.supervisor.tick import Supervisor
from cronq.transports.memory import MemoryTransport
from tests.presence import there
from tests.processes import says
from tests.supervisor.sights import live, project

WIDE = Group("standby", ("high", "low"), Autoscale(1, 1, 1))
HIGH, LOW = Group("high", ("high",), Autoscale(5, 0, 2)), Group("low", ("low",), Autoscale(5, 0, 1))

HOLD = """
from cronq.host import locks
lock = locks.take(sys.argv[1])
say("held")
sys.stdin.readline()
"""

CONSUME = """
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
slot = slots.take(StateDir(sys.argv[1]), sys.argv[2], 1)
slot.begin(sys.argv[3:], 0.0, slots.CONSUMING)
say("consumes")
sys.stdin.readline()
"""


class Site:
    def __init__(self, home):
        self.settings = project(WIDE, HIGH, LOW, max_processes=2)._replace(path=str(home / "cronq.toml"))
        self.state = StateDir(str(home / ".cronq"))
        self.state.prepare()
        self.started = []

    def start_for(self, *queues, may_start=lambda state: True):
        clock = SystemClock()
        transport = MemoryTransport(clock)
        environ = {"HOME": "/srv", "HTTP_COOKIE": "x"}
        supervisor = Supervisor(self.settings, self.state, transport, clock, self._start, environ)
        return start_for(supervisor, queues, may_start)

    def _start(self, command):
        self.started.append(command)
        return True

    @property
    def targets(self):
        return [command.argv[-1] for command in self.started]


@pytest.fixture
def site(home):
    return Site(home)


@pytest.mark.parametrize(
    ("queues", "seen", "names"),
    [
        (["high", "low"], [], ["standby", "high", "low"]),
        (["low"], [], ["standby", "low"]),
        (["low"], [live("standby.0")], ["low"]),
        (["high", "low"], [live("standby.0"), live("high.0"), live("high.1")], ["low"]),
        (["mail"], [], []),
    ],
)
def test_groups_with_a_free_slot_are_chosen_that_serve_most(queues, seen, names):
    assert [group.name for group in groups_for(project(WIDE, HIGH, LOW), queues, seen)] == names


def test_one_is_started_with_the_environment_of_a_tick_and_not_of_a_request(site):
    assert site.start_for("high", "low")
    assert site.targets == ["standby"]
    assert (site.started[0].env["HOME"], "HTTP_COOKIE" in site.started[0].env) == ("/srv", False)


def test_while_it_is_on_its_way_nobody_else_is_started_for_the_same_queues(site):
    assert [site.start_for("high", "low"), site.start_for("low")] == [True, True]
    assert site.targets == ["standby"]


def test_for_other_queues_somebody_else_is_started(site):
    site.settings = project(HIGH, LOW)._replace(path=site.settings.path)
    assert [site.start_for("high"), site.start_for("low")] == [True, True]
    assert site.targets == ["high", "low"]


def test_one_that_never_came_is_started_again(site):
    launches.note(site.state, "standby", SystemClock().monotonic() - launches.ARRIVES_WITHIN_S - 1)
    assert site.start_for("low")
    assert site.targets == ["standby"]


def test_nobody_is_started_where_somebody_is_ready_by_now(site, python):
    assert says(python(CONSUME, site.state.path, "standby", "high", "low")) == "consumes"
    assert site.start_for("low")
    assert site.targets == []


def test_nobody_is_started_without_a_place(site):
    taken = [there(seats.take(site.state, 2)) for _ in range(2)]
    assert (site.start_for("low"), site.targets) == (False, [])
    taken[0].release()
    assert (site.start_for("low"), site.targets) == (True, ["standby"])


def test_nobody_is_started_where_memory_does_not_fit(site, python):
    assert says(python(CONSUME, site.state.path, "other", "mail")) == "consumes"
    site.settings = site.settings._replace(memory_mb=1)
    assert (site.start_for("low"), site.targets) == (False, [])


def test_nobody_is_started_where_this_process_may_not(site):
    assert (site.start_for("low", may_start=lambda state: False), site.targets) == (False, [])


def test_nobody_is_started_while_consumers_are_stopped(site):
    with open(site.state.stop, "w") as file:
        file.write(f"{SystemClock().now() + 60}")
    assert (site.start_for("low"), site.targets) == (False, [])


def test_a_tick_that_is_at_it_is_waited_for_and_not_trusted(site, python):
    ticking = python(HOLD, site.state.tick_lock)
    assert says(ticking) == "held"
    assert (site.start_for("low"), site.targets) == (False, [])
    ticking.kill()
    ticking.wait()
    assert (site.start_for("low"), site.targets) == (True, ["standby"])


def test_a_group_that_backs_off_leaves_the_start_to_the_next(site):
    slot = there(slots.take(site.state, "standby", 1))
    slot.begin(["high", "low"], 0.0)
    slot.release()  # as a death does
    assert (site.start_for("low"), site.targets) == (True, ["low"])


def test_the_lock_is_free_afterwards(site):
    site.start_for("low")
    there(locks.take(site.state.tick_lock)).release()
    assert os.path.exists(site.state.launch("standby"))

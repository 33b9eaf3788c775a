"""What a schedule says is stored, shown and compared field by field, so that a release may add one."""

from __future__ import annotations

import ast
import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from cronq.app.schedule_status import status_of
from cronq.config.keys import SCHEDULE
from cronq.namedtuple import NamedTuple
from cronq.schedules import schedule
from cronq.schedules.schedule import Schedule, Timing
from cronq.schedules.spec import schedule_of, to_store
from cronq.schedules.stored import redeclared
from cronq.transports.memory import MemoryTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

SAID: dict[str, Any] = {  # something else than the default, for every field
    "name": "nightly",
    "task": "shop.tasks.tidy",
    "cron": "30 2 * * *",
    "tz": "Europe/Berlin",
    "args": {"days": 30},
    "missed": "all",
    "queue": "low",
    "overlap": True,
    "stop_after": 5,
}
PLAIN = Schedule("nightly", "shop.tasks.tidy", "30 2 * * *")


class OfTheNextRelease(NamedTuple):
    """A schedule with one field more, in the middle of the others."""

    name: str
    task: str
    cron: str
    jitter_s: float = 0.0
    tz: str = "UTC"
    args: Mapping[str, object] = MappingProxyType({})
    missed: str = "once"
    queue: str | None = None
    overlap: bool = False
    stop_after: int | None = None

    @property
    def declared(self) -> str:
        told: str = vars(Schedule)["declared"].fget(self)
        return told


def stored(schedule: Schedule):
    return to_store("code", schedule, schedule.args, schedule.queue or "normal", 3, "here")


@pytest.mark.parametrize("field", Schedule._fields)
def test_every_field_is_stored_shown_and_said_in_the_configuration(field):
    said = Schedule(**SAID)
    assert SAID[field] != Schedule._field_defaults.get(field)
    one = stored(said)
    assert getattr(schedule_of(one), field) == SAID[field]
    status = status_of(MemoryTransport(), one)
    assert (status.as_data()[field], getattr(status, field)) == (SAID[field], SAID[field])
    assert field in SCHEDULE.keys or field == "name"


def test_every_field_may_be_said_in_code():
    """`ScheduleOptions` is there for type checkers only, so it is read."""
    nodes = ast.walk(ast.parse(inspect.getsource(schedule)))
    (options,) = (node for node in nodes if isinstance(node, ast.ClassDef) and node.name == "ScheduleOptions")
    typed = {node.target.id for node in options.body if isinstance(node, ast.AnnAssign) and hasattr(node.target, "id")}
    assert typed | {"name", "task", "cron", "args"} == set(Schedule._fields)


def test_what_is_declared_reads_as_in_every_release_before():
    """Or each would take the schedules of the one before for changed ones: the stopped would go on.

    A new field is no part of this text before it is used: it is never added to those that are declared first.
    """
    assert PLAIN.declared == "('nightly', 'shop.tasks.tidy', '30 2 * * *', 'UTC', [], 'once', None, False, None)"
    first = {name: SAID[name] for name in ("name", "task", "cron", "tz", "args", "missed", "queue", "overlap")}
    assert Schedule(**first, stop_after=5).declared == (
        "('nightly', 'shop.tasks.tidy', '30 2 * * *', 'Europe/Berlin', [('days', 30)], 'all', 'low', True, 5)"
    )


def test_a_field_that_a_release_adds_says_nothing_until_it_is_used():
    plain = OfTheNextRelease("nightly", "shop.tasks.tidy", "30 2 * * *")
    assert plain.declared == PLAIN.declared
    assert plain._replace(jitter_s=5.0).declared != PLAIN.declared


def test_a_stopped_schedule_stays_stopped_when_a_release_that_knows_more_is_deployed():
    stopped = stored(PLAIN)._replace(stopped_at=5.0, failures=3)
    newer = stored(PLAIN)._replace(declared=OfTheNextRelease(*PLAIN[:3]).declared, next_at=99.0)
    after = redeclared(stopped, newer, now=10.0)
    assert (after.stopped_at, after.failures, after.next_at) == (5.0, 3, None)


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/10 * * * * *", "@every 10s", "@daily"])
def test_a_timing_is_read_as_it_was_written(cron):
    timing = Timing(cron, "Europe/Berlin")
    assert Timing.read(str(timing)) == timing


def test_what_an_earlier_release_stored_has_the_defaults_of_what_it_did_not_know():
    one = stored(Schedule(**SAID))
    earlier = one._replace(spec=one.spec.replace(b'"overlap": true, ', b""))
    assert earlier.spec != one.spec
    assert schedule_of(earlier).overlap is False

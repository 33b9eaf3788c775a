from __future__ import annotations

from typing import Any

import pytest

from cronq.config.settings import Autoscale, Group
from cronq.supervisor.backoff import Backoff
from cronq.supervisor.plan import KILL_AFTER_S, OVERDUE_GRACE_S, STUCK_S, Plan, decide
from cronq.supervisor.rescue import Dead
from cronq.supervisor.slots import BROKEN, LEFT, STARTING, TIED_UP_S, Seen
from cronq.transports.exchange import Evidence, Held
from tests.presence import there
from tests.supervisor.sights import MONOTONIC, NEVER, NOW, dead, group, live, note, project, sight


@pytest.mark.parametrize(
    ("groups", "slots", "depth", "budget", "start"),
    [
        ([group()], [], {}, 10, []),
        ([group(least=1)], [], {}, 10, ["high"]),
        ([group()], [], {"high": 11}, 10, ["high"] * 3),
        ([group()], [live()], {"high": 11}, 10, ["high"] * 2),
        ([group()], [dead()], {"high": 1}, 10, ["high"]),
        ([group(), group("low")], [], {"high": 15, "low": 15}, 4, ["high", "high", "high", "low"]),
        ([group(), group("low", least=1)], [], {"high": 15}, 3, ["high", "high", "low"]),
        ([group(), group("low")], [live("low.0", 1), live("low.1", 2)], {"high": 15}, 3, ["high"]),
        ([group(least=1)], [live("adhoc.0", 1)], {}, 10, ["high"]),
        ([group(least=1)], [live("inline.0", 1)], {}, 10, ["high"]),
        ([group(least=1)], [Seen("high.0", 55, None)], {}, 10, []),
    ],
)
def test_what_is_missing_is_started_within_the_budget(groups, slots, depth, budget, start):
    plan = decide(project(*groups, max_processes=budget), sight(*slots, depth=depth))
    assert list(plan.start) == start


def test_no_groups_means_nothing_to_do():
    assert decide(project()._replace(groups=()), sight(live())) == Plan(rescue=(), stop=[], start=[], succeed=[])


BOTH = Group("standby", ("high", "low"), Autoscale(1, 1, 1))
AT_REST: dict[str, Any] = {"queues": ("high", "low"), "since": 0.0}


@pytest.mark.parametrize(
    ("standby", "start"),
    [
        (live("standby.0", **AT_REST), []),
        (live("standby.0", **{**AT_REST, "state": STARTING}), []),
        (live("standby.0", **{**AT_REST, "since": MONOTONIC - 1}), ["high"]),
        (live("standby.0", **{**AT_REST, "state": LEFT}), ["high"]),
        (live("standby.0", since=0.0, queues=("low",)), ["high"]),
    ],
)
def test_a_standby_at_rest_counts_as_one_of_every_group_whose_queues_it_serves(standby, start):
    plan = decide(project(BOTH, group()), sight(standby, depth={"standby": 1, "high": 1}))
    assert list(plan.start) == start


def test_a_standby_at_rest_keeps_no_other_consumer_from_ending():
    ending = live("high.0", since=0.0, deadline=MONOTONIC + 10)
    slots = [live("standby.0", **AT_REST), ending]
    plan = decide(project(BOTH, group()), sight(*slots, depth={"standby": 1, "high": 1}))
    assert (list(plan.start), list(plan.succeed), plan.wanted["high"]) == ([], [], 0)


def test_one_message_starts_one_consumer_where_none_lives():
    nobody = (BOTH._replace(autoscale=Autoscale(1, 0, 1)), group())
    assert list(decide(project(*nobody), sight(depth={"standby": 1, "high": 1})).start) == ["standby"]


@pytest.mark.parametrize(
    ("since", "depth", "start"),
    [(TIED_UP_S, 1, ["high"]), (TIED_UP_S, 0, []), (TIED_UP_S / 2, 1, []), (MONOTONIC, 1, [])],
)
def test_a_group_whose_consumers_are_all_in_a_long_message_gets_one_more(since, depth, start):
    slots = [live(f"high.{number}", number + 1, since=MONOTONIC - since) for number in range(2)]
    assert list(decide(project(), sight(*slots, depth={"high": depth})).start) == start


def test_a_group_in_back_off_starts_nothing_and_leaves_the_budget_to_others():
    held = {"high": Backoff(3, MONOTONIC + 60)}
    plan = decide(project(group(least=1), group("low", least=1), max_processes=1), sight(backoff=held))
    assert list(plan.start) == ["low"]


def test_living_consumers_of_a_group_in_back_off_still_count():
    held = {"high": Backoff(3, MONOTONIC + 60)}
    plan = decide(project(group(most=5), group("low"), max_processes=2), sight(live(), depth={"low": 50}, backoff=held))
    assert list(plan.start) == ["low"]


def test_a_consumer_that_lost_its_slot_file_still_counts():
    seen = sight(depth={"high": 50, "low": 50}, strays=["high.0"])
    groups = (group("high", most=1), group("low", most=1))
    assert list(decide(project(*groups), seen).start) == ["low"]
    assert list(decide(project(*groups, max_processes=1), seen).start) == []


def test_a_back_off_that_is_over_holds_nothing():
    plan = decide(project(group(least=1)), sight(backoff={"high": Backoff(3, MONOTONIC - 1)}))
    assert list(plan.start) == ["high"]


def test_a_young_death_is_remembered_and_waits_for_the_next_tick():
    plan = decide(project(group(least=1)), sight(dead(state=STARTING, since=0.0), backoff={"high": NEVER}))
    assert list(plan.start) == []
    assert plan.backoff["high"].deaths == 1
    assert MONOTONIC < plan.backoff["high"].until < MONOTONIC + 60


def test_an_unchanged_back_off_is_not_written_again():
    assert decide(project(), sight(live(), backoff={"high": Backoff()})).backoff == {}


@pytest.mark.parametrize(
    ("deadline_in", "limit", "depth", "successor", "succeed"),
    [
        (10, "auto", 5, (), ["high.0"]),
        (60, "auto", 5, (), ["high.0"]),
        (75, "auto", 5, (), ["high.0"]),
        (76, "auto", 5, (), []),
        (10, "auto", 0, (), []),
        (10, "auto", 5, ("high.0",), []),
        (10, 55.0, 5, (), ["high.0"]),
        (10, 20.0, 5, (), []),
    ],
)
def test_who_ends_before_the_next_tick_gets_a_successor_if_wanted(deadline_in, limit, depth, successor, succeed):
    plan = decide(
        project(group(time_limit_s=limit)),
        sight(live(deadline=MONOTONIC + deadline_in), depth={"high": depth}, has_successor=frozenset(successor)),
    )
    assert list(plan.succeed) == succeed


def test_only_as_many_successors_as_consumers_are_wanted():
    slots = [live(f"high.{number}", number + 1, deadline=MONOTONIC + 10) for number in range(3)]
    assert list(decide(project(), sight(*slots, depth={"high": 6})).succeed) == ["high.0", "high.1"]


def test_a_successor_is_not_one_more_consumer():
    plan = decide(project(group(least=1)), sight(live(deadline=MONOTONIC + 10)))
    assert (list(plan.start), list(plan.succeed)) == ([], ["high.0"])


def test_whose_note_is_another_s_gets_no_successor():
    seen = Seen("high.0", 55, note(pid=100, deadline=MONOTONIC + 10))
    assert list(decide(project(group(least=1)), sight(seen)).succeed) == []


def test_a_stop_for_a_while_starts_nothing_and_rescues_all_the_same():
    someone = Dead(Held("web1/high.0/99/4/boot0001", 1, NOW), Evidence("killed"))
    plan = decide(project(group(least=1)), sight(live(deadline=MONOTONIC + 1), dead=[someone], paused_until=NOW + 1))
    assert (list(plan.start), list(plan.succeed), plan.rescue) == ([], [], [someone])


def test_a_stop_that_is_over_holds_nothing():
    assert list(decide(project(group(least=1)), sight(paused_until=NOW)).start) == ["high"]


OVERDUE: dict[str, Any] = {"must_end": MONOTONIC - OVERDUE_GRACE_S - 0.1}
STUCK: dict[str, Any] = {"since": 0.0, "deadline": MONOTONIC - STUCK_S - 0.1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (OVERDUE, "its message ran past its timeout"),
        ({"must_end": MONOTONIC - OVERDUE_GRACE_S + 0.1}, None),
        ({"must_end": 0.0}, None),
        (STUCK, "it hangs past its time limit"),
        ({"since": 0.0, "deadline": MONOTONIC - STUCK_S + 0.1}, None),
        ({"since": 0.0, "deadline": 0.0}, None),
        ({"since": MONOTONIC - 9999, "deadline": MONOTONIC - 9999}, None),
        ({**STUCK, "state": STARTING}, "it hangs past its time limit"),
    ],
)
def test_who_is_overdue_is_ended_and_a_long_message_is_left_alone(fields, reason):
    assert [stop.reason for stop in decide(project(), sight(live(**fields))).stop] == ([reason] if reason else [])


def test_the_first_try_is_polite():
    (stop,) = decide(project(), sight(live(**OVERDUE))).stop
    assert (stop.kill, stop.told_at) == (False, MONOTONIC)


@pytest.mark.parametrize(("ago_s", "kill"), [(0, False), (KILL_AFTER_S - 0.1, False), (KILL_AFTER_S, True), (60, True)])
def test_who_was_told_to_end_has_a_moment_to_do_so_however_soon_the_next_tick_comes(ago_s, kill):
    seen = live(**OVERDUE)
    (stop,) = decide(project(), sight(seen, signalled={str(there(seen.note).holder): MONOTONIC - ago_s})).stop
    assert (stop.kill, stop.told_at) == (kill, MONOTONIC - ago_s)


def test_who_came_after_the_one_that_was_told_to_end_is_told_politely():
    plan = decide(project(), sight(live(**OVERDUE), signalled={"web1/high.0/99/4/boot0001/0": 0.0}))
    assert [stop.kill for stop in plan.stop] == [False]


@pytest.mark.parametrize(
    "seen", [dead(**OVERDUE), Seen("high.0", 55, note(pid=100, **OVERDUE)), live("inline.0", **OVERDUE)]
)
def test_nobody_else_is_ever_ended(seen):
    assert decide(project(), sight(seen)).stop == []


def test_the_plan_tells_what_is_wanted_and_what_lives():
    plan = decide(project(group(), group("low", least=1)), sight(live(), depth={"high": 11}))
    assert (plan.wanted, plan.live) == ({"high": 3, "low": 1}, {"high": 1, "low": 0})


def test_the_same_sight_gives_the_same_plan():
    seen = sight(live(**OVERDUE), dead("high.1", state=BROKEN), depth={"high": 9})
    assert decide(project(), seen) == decide(project(), seen)

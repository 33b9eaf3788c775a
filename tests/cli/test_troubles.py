from __future__ import annotations

from typing import Any

import pytest

from cronq.host.room import Room
from cronq.supervisor import troubles as all_troubles
from cronq.supervisor.status import Cron, GroupStatus, QueueStatus, Status
from cronq.supervisor.worker_status import Worker

CRON = Cron(last_tick_s=30.0, interval_s=60.0, interval_is="measured", silent_s=30.0, complaint=None)
GROUP = GroupStatus("all", ("high",), 1, 2, (Worker("all.0", 5, "idle", None, 1.0, 80.0, 20.0),), None, 0, None)
QUEUE = QueueStatus("high", 0, 0, 0, 0, 0, False, None, 1.0, ("all",))
FINE = Status(0.0, None, CRON, None, (GROUP,), (), (QUEUE,))


def troubles(status: Status) -> tuple[str, ...]:
    return tuple(one.text for one in all_troubles.troubles(status))


def with_cron(**facts: Any) -> Status:
    return FINE._replace(cron=CRON._replace(**facts))


def with_group(**facts: Any) -> Status:
    return FINE._replace(groups=(GROUP._replace(**facts),))


def with_queue(**facts: Any) -> Status:
    return FINE._replace(queues=(QUEUE._replace(**facts),))


def test_an_installation_that_works_has_none() -> None:
    assert troubles(FINE) == ()


def test_a_schedule_that_was_refused_is_one() -> None:
    assert troubles(FINE._replace(refused=("schedule nightly: never comes",))) == ("schedule nightly: never comes",)


def test_a_tick_that_is_three_intervals_late_is_one() -> None:
    assert [len(troubles(with_cron(silent_s=late))) for late in (180.0, 181.0)] == [0, 1]


def test_nobody_calls_a_cron_dead_of_which_nothing_is_known() -> None:
    assert troubles(with_cron(last_tick_s=5000.0, silent_s=5000.0, interval_is="assumed")) == ()


def test_a_cron_that_was_set_up_and_never_came_is_one() -> None:
    never = with_cron(last_tick_s=None, silent_s=200.0, interval_is="planned")
    assert troubles(never)[0].startswith("cron seems dead: none has ever come and one should come every 1m")


def test_a_cron_that_was_just_set_up_is_not_dead() -> None:
    assert troubles(with_cron(last_tick_s=5000.0, silent_s=5.0, interval_is="planned")) == ()


def test_a_cron_that_never_ticked_is_one_when_messages_wait() -> None:
    status = with_cron(last_tick_s=None, silent_s=None, interval_is="assumed")
    waiting = status._replace(queues=(QUEUE._replace(ready=2, oldest_s=1.0),))
    assert [len(troubles(one)) for one in (status, waiting)] == [0, 1]


def test_a_tick_that_failed_is_one() -> None:
    assert troubles(with_cron(complaint="python: no such file")) == ("the tick fails: python: no such file",)


def test_groups_that_one_import_breaks_are_one_trouble() -> None:
    broken = GROUP._replace(broken="ImportError: x", next_start_s=90.0)
    status = FINE._replace(groups=(broken, broken._replace(name="mail", next_start_s=None)))
    assert troubles(status) == ("groups all, mail are broken: ImportError: x; next start in 1m30s",)


def test_a_broken_group_is_one_with_its_reason_and_the_next_start() -> None:
    assert troubles(with_group(broken="ImportError: x", next_start_s=90.0)) == (
        "group all is broken: ImportError: x; next start in 1m30s",
    )


def test_a_group_that_backs_off_without_a_word_is_one() -> None:
    assert "3 in a row" in troubles(with_group(young_deaths=3, next_start_s=90.0))[0]


def test_a_message_that_waits_for_long_is_one() -> None:
    assert [len(troubles(with_queue(ready=1, oldest_s=age))) for age in (900.0, 901.0)] == [0, 1]


def test_a_queue_as_full_as_it_may_be_is_one() -> None:
    assert troubles(with_queue(ready=2, delayed=3, max_waiting=6)) == ()
    assert troubles(with_queue(ready=2, delayed=3, blocked=1, max_waiting=6)) == (
        "queue high: is full, enqueues are refused: 6 wait in it, 6 may (max_waiting)",
    )


def test_a_queue_that_nobody_serves_is_said_to_be() -> None:
    assert "no group of [[consumers]]" in troubles(with_queue(ready=1, oldest_s=1000.0, served_by=()))[0]


def test_what_somebody_paused_or_stopped_may_wait() -> None:
    old = with_queue(ready=1, oldest_s=1000.0)
    paused = with_queue(ready=1, oldest_s=1000.0, is_paused=True)
    assert [troubles(one) for one in (paused, old._replace(held_until=50.0))] == [(), ()]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"unseen": 2}, None),
        ({"unseen": 3}, "let cron call `cronq tick --wait`"),
        ({"refused": 2}, None),
        ({"refused": 3}, "let cron call `cronq tick --run`"),
        ({"young_deaths": 3, "next_start_s": 9.0}, "let cron call `cronq tick --wait`"),
    ],
)
def test_what_a_host_does_to_consumers_is_told_when_it_did_so_thrice(facts: dict[str, Any], said: str | None) -> None:
    found = troubles(with_group(live=(), **facts))
    assert [said in text for text in found if said] == ([True] if said else [])
    assert len(found) == (1 if said else 0)


def test_what_breaks_a_group_is_the_same_trouble_whoever_meets_it_next() -> None:
    broken = GROUP._replace(broken="ImportError: x")
    one, both = FINE._replace(groups=(broken,)), FINE._replace(groups=(broken, broken._replace(name="mail")))
    first, second = (all_troubles.troubles(status)[0] for status in (one, both))
    assert (first.key, first.what) == (second.key, second.what)


def test_two_reasons_are_one_trouble_with_both() -> None:
    groups = (GROUP._replace(broken="ImportError: x"), GROUP._replace(name="mail", broken="locked"))
    assert troubles(FINE._replace(groups=groups)) == ("groups all, mail are broken: ImportError: x; locked",)


@pytest.mark.parametrize(("doing", "count"), [(None, 1), ("starting", 1), ("idle", 0), ("busy", 0)])
def test_deaths_in_a_row_are_one_until_somebody_has_got_past_what_they_died_of(doing: str | None, count: int) -> None:
    live = () if doing is None else (GROUP.live[0]._replace(doing=doing),)
    assert len(troubles(with_group(live=live, young_deaths=3))) == count


@pytest.mark.parametrize("facts", [{"unseen": 9}, {"refused": 9}])
def test_a_consumer_that_lives_proves_that_the_host_lets_it(facts: dict[str, Any]) -> None:
    assert troubles(with_group(**facts)) == ()


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (Room("the disk", 50.0, 200), None),
        (Room("the disk", 49.9, 200), "the disk that the queue lies on is nearly full: 50 MB and 200 files left"),
        (Room("the disk", 5000.0, 199), "5000 MB and 199 files left"),
        (Room("your quota", None, 3), "your quota that the queue lies on is nearly full: 3 files left"),
        (Room("your quota", 0.0, None), "0 MB left"),
    ],
)
def test_little_room_is_told_before_there_is_none(room: Room, said: str | None) -> None:
    found = troubles(FINE._replace(rooms=(room,)))
    assert [said in text for text in found if said] == ([True] if said else [])


def test_queues_that_cannot_be_looked_at_are_one_and_the_same_with_a_tick_that_failed_for_that() -> None:
    unreadable = FINE._replace(unreadable="queue.db: is not a database")
    assert troubles(unreadable) == ("the queues cannot be looked at: queue.db: is not a database",)
    assert (
        len(
            troubles(
                with_cron(complaint="queue.db: is not a database")._replace(unreadable="queue.db: is not a database")
            )
        )
        == 1
    )

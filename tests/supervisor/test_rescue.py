from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cronq import events
from cronq.host import process
from cronq.messages.message import Message, State
from cronq.supervisor.rescue import Dead, find_dead, rescue, strays
from cronq.supervisor.slots import BROKEN, CONSUMING, LEFT, Seen, SlotNote
from cronq.transports.exchange import Evidence, Held, Want
from cronq.transports.memory.transport import MemoryTransport
from tests.clocks import FakeClock
from tests.making import message
from tests.presence import there
from tests.processes import says

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.messages.holder import Holder

NOW = 1_000_000.0
GONE = 2**22 + 7


def me(slot: str = "high.0", **changes: Any) -> Holder:
    """The process of this test, in a slot."""
    return process.identity(slot)._replace(**changes)


def note(holder: Holder, position: int = 7, since: float = NOW) -> SlotNote:
    return SlotNote(holder, CONSUMING, ("high",), NOW, 0.0, position, since)


def held(holder: object, until: float = NOW + 300) -> Held:
    return Held(str(holder), 3, until)


def judged(one: Held, *seen: Seen, overdue: Sequence[str] = ()) -> Evidence | None:
    dead = find_dead([one], {slot.name: slot for slot in seen}, NOW, overdue)
    return dead[0].evidence if dead else None


def test_who_holds_its_slot_lives():
    assert judged(held(me()), Seen("high.0", me().pid, None)) is None


def test_who_runs_though_its_slot_s_file_is_gone_lives():
    assert judged(held(me())) is None


def test_who_runs_though_its_slot_is_free_lives():
    assert judged(held(me()), Seen("high.0", None, note(me()))) is None


@pytest.mark.parametrize("state", [LEFT, BROKEN])
def test_who_has_left_its_slot_is_done_though_it_still_runs(state):
    noted = note(me(), since=0)._replace(state=state)
    evidence = there(judged(held(me()), Seen("high.0", None, noted)))
    assert (evidence.finished_below, evidence.running, evidence.certain) == (7, None, True)
    assert strays([held(me())], {"high.0": Seen("high.0", None, noted)}) == []


def test_whose_slot_another_has_just_taken_is_left_to_that_one():
    holder = me(pid=GONE)
    noted = note(holder)._replace(state=LEFT)
    assert judged(held(holder), Seen("high.0", me().pid, noted)) is None


def test_who_is_gone_is_dead_with_what_it_noted():
    holder = me(pid=GONE)
    evidence = there(judged(held(holder), Seen("high.0", None, note(holder))))
    assert (evidence.finished_below, evidence.running, evidence.certain) == (7, 7, True)
    assert evidence.cause == f"consumer high.0 (pid {GONE}) died while running it: killed by a signal, or crashed"


@pytest.mark.parametrize(
    ("memory", "error_class", "words"),
    [
        ({}, "Killed", "killed by a signal, or crashed"),
        ({"used_mb": 60.0, "limit_mb": 256.0}, "Killed", "or crashed; last seen at 60 of 256 MB"),
        ({"used_mb": 240.0, "limit_mb": 256.0}, "OutOfMemory", "probably out of memory, last seen at 240 of 256 MB"),
        ({"used_mb": 240.0}, "Killed", "or crashed; last seen at 240 MB"),
    ],
)
def test_what_the_dead_noted_of_its_memory_tells_the_cause(memory, error_class, words):
    holder = me(pid=GONE)
    evidence = there(judged(held(holder), Seen("high.0", None, note(holder)._replace(**memory))))
    assert evidence.error_class == error_class
    assert evidence.cause.endswith(words)


def test_a_kill_that_the_dead_one_s_control_group_has_counted_since_is_a_lack_of_memory(tmp_path):
    (tmp_path / "memory.events").write_text("low 0\noom 1\noom_kill 3\n")
    holder = me(pid=GONE)
    noted = note(holder)._replace(memory_group=str(tmp_path), oom_kills=2)
    assert there(judged(held(holder), Seen("high.0", None, noted))).error_class == "OutOfMemory"
    assert there(judged(held(holder), Seen("high.0", None, noted._replace(oom_kills=3)))).error_class == "Killed"


def test_who_was_ended_for_being_overdue_ran_into_its_timeout():
    holder = me(pid=GONE)
    evidence = there(judged(held(holder), Seen("high.0", None, note(holder)), overdue=[str(holder)]))
    assert evidence.error_class == "TaskTimeout"
    assert "its message ran past its timeout" in evidence.cause


def test_who_is_gone_from_idleness_ran_nothing():
    holder = me(pid=GONE)
    evidence = there(judged(held(holder), Seen("high.0", None, note(holder, since=0))))
    assert (evidence.finished_below, evidence.running, evidence.certain) == (7, None, True)


def test_a_pid_that_a_stranger_has_now_is_dead():
    assert judged(held(me(started=1)), Seen("high.0", None, None)) is not None


def test_another_s_note_proves_nothing():
    evidence = there(judged(held(me(pid=GONE)), Seen("high.0", None, note(me()))))
    assert (evidence.finished_below, evidence.running, evidence.certain) == (0, None, False)


def test_whose_slot_another_holds_now_is_dead(python):
    child = python("say('up'); time.sleep(600)")
    says(child)
    assert judged(held(me(pid=GONE)), Seen("high.0", child.pid, None)) is not None


def test_who_was_killed_by_a_restart_is_dead_and_its_note_is_uncertain():
    holder = me(boot="00000000")
    evidence = there(judged(held(holder), Seen("high.0", None, note(holder))))
    assert (evidence.certain, evidence.error_class) == (False, "HostRestarted")
    assert evidence.cause.startswith("the host was restarted while consumer high.0")


@pytest.mark.parametrize(("until", "is_dead"), [(NOW + 1, False), (NOW, True)])
def test_another_host_s_consumer_lives_until_its_reservation_lapses(until, is_dead):
    evidence = judged(held(me(host="web2", pid=GONE), until))
    assert (evidence is not None) is is_dead
    assert evidence is None or evidence.error_class == "HostGone"
    assert evidence is None or evidence.cause == "host web2 let the reservation lapse"


@pytest.mark.parametrize(("until", "is_dead"), [(NOW + 1, False), (NOW, True)])
def test_who_cannot_be_read_lives_until_its_reservation_lapses(until, is_dead):
    assert (judged(held("here", until)) is not None) is is_dead


def test_what_an_earlier_drain_of_a_web_process_left_is_not_held_by_its_later_one():
    earlier, later = me("inline.0"), me("inline.0")._replace(turn=1)
    seen = Seen("inline.0", later.pid, note(later))
    assert judged(held(earlier), seen) is not None
    assert judged(held(later), seen) is None


def test_a_web_process_outlives_its_inline_work():
    assert judged(held(me("inline.0")), Seen("inline.0", None, None)) is not None
    assert judged(held(me("inline.0")), Seen("inline.0", me().pid, None)) is None


def test_a_lapsed_reservation_of_a_living_consumer_of_this_host_stays():
    assert judged(held(me(), until=NOW - 9999), Seen("high.0", me().pid, None)) is None


def test_rescuing_gives_back_settles_and_tells(monkeypatch):
    heard = []
    monkeypatch.setattr(events, "listeners", [lambda name, facts: heard.append((name, dict(facts)))])
    transport = MemoryTransport(FakeClock())
    sent: list[Message] = [message() for _ in range(3)]
    transport.enqueue(sent)
    holder = str(me(pid=GONE))
    transport.exchange(holder, [], Want(["high"], NOW, 3, 1))
    evidence = Evidence("killed", finished_below=2, running=2, certain=True)
    rescue(transport, [Dead(transport.held()[0], evidence)])
    ready = {record.message.id: record.message.attempt for record in transport.browse(State.READY)}
    assert ready == {sent[1].id: 1, sent[2].id: 0}
    facts = {"holder": holder, "cause": "killed", "released": 2, "failed": 0, "finished": 1}
    assert heard == [("rescued", facts)]


def test_rescuing_twice_changes_nothing_and_says_nothing(monkeypatch):
    heard = []
    transport = MemoryTransport(FakeClock())
    transport.enqueue([message()])
    transport.exchange("gone", [], Want(["high"], NOW, 3, 1))
    dead = [Dead(transport.held()[0], Evidence("killed"))]
    rescue(transport, dead)
    monkeypatch.setattr(events, "listeners", [lambda name, facts: heard.append(name)])
    rescue(transport, dead)
    assert heard == []


def test_who_is_named_by_a_slot_that_is_held_lives_whatever_pid_the_kernel_gives(python):
    """A cage of its own (a PID namespace) numbers processes anew: a pid from inside means nothing outside."""
    holder = me(pid=GONE)
    for pid in (0, os.getppid()):
        assert judged(held(holder), Seen("high.0", pid, note(holder))) is None


def test_a_consumer_at_work_without_its_slot_is_a_stray():
    one = held(me())
    mine, elsewhere = Seen("high.0", me().pid, None), me()._replace(host="web2")
    assert strays([one], {}) == ["high.0"]
    assert strays([one], {"high.0": Seen("high.0", None, note(me()))}) == ["high.0"]
    assert strays([one], {"high.0": mine}) == []
    assert strays([one], {"high.0": Seen("high.0", 7, note(me()))}) == []  # a cage numbers processes anew
    assert strays([held(me(pid=GONE)), held(elsewhere), held(me("inline.0"))], {}) == []
    assert strays([one._replace(holder="nonsense")], {}) == []

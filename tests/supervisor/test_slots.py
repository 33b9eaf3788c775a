from __future__ import annotations

import os
from pathlib import Path

import pytest

from cronq.errors import StateDirError
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
from cronq.supervisor.slots import BROKEN, CONSUMING, LEFT, STARTING
from cronq.transports.exchange import Evidence
from tests.presence import there
from tests.processes import says
from tests.waiting import wait_until


@pytest.fixture
def state(home):
    made = StateDir(str(home / ".cronq"))
    made.prepare()
    return made


WORK = """
from cronq.host.state_dir import StateDir
from cronq.supervisor import slots
state = StateDir(sys.argv[1])
slot = slots.take(state, "high", int(sys.argv[2]))
if slot is None:
    say("none free")
else:
    slot.begin(("high", "low"), 123.5)
    slot.begin(("high", "low"), 123.5, slots.CONSUMING)
    slot.note_idle(1)
    exec(sys.argv[3])
    say(slot.name)
sys.stdin.readline()
"""


@pytest.fixture
def work(python, state):
    def start(count: int = 3, then: str = ""):
        process = python(WORK, state.path, str(count), then)
        process.slot = says(process)
        return process

    return start


def test_every_consumer_takes_a_slot_of_its_own(work):
    assert [work().slot for _ in range(4)] == ["high.0", "high.1", "high.2", "none free"]


def test_a_dead_consumer_s_slot_is_free_again(work, state):
    first = work()
    first.kill()
    wait_until(lambda: slots.see(state, "high.0").pid is None)
    assert work().slot == "high.0"


def test_what_a_consumer_wrote_is_seen(work, state):
    process = work(then="slot.note(7, 99.5)")
    seen = slots.see(state, "high.0")
    note = there(seen.live_note)
    assert (seen.pid, seen.group, seen.is_live) == (process.pid, "high", True)
    assert (note.state, note.queues, note.deadline, note.position, note.must_end) == (
        CONSUMING,
        ("high", "low"),
        123.5,
        7,
        99.5,
    )
    assert not note.is_idle


def test_a_note_survives_its_writer(work, state):
    process = work(then="slot.note(7)")
    process.kill()
    wait_until(lambda: not slots.see(state, "high.0").is_live)
    seen = slots.see(state, "high.0")
    boot = there(seen.note).holder.boot
    assert seen.live_note is None
    assert there(seen.note).evidence("killed", boot) == Evidence("killed", 7, 7, certain=True)
    assert there(seen.note).evidence("killed", "another").certain is False


def test_the_memory_a_consumer_last_saw_is_in_its_next_note(work, state):
    work(then="slot.look_at_memory(); slot.note(7); held = bytearray(50 << 20); slot.note(8)")
    assert 5 < there(slots.see(state, "high.0").note).used_mb < 50


def test_what_memory_a_consumer_may_have_is_noted_when_it_begins(work, state):
    work(then="slot.bound_memory(16); slot.begin(('high',), 1.0, slots.CONSUMING); slot.note(7)")
    assert there(slots.see(state, "high.0").note).limit_mb == 16


def test_a_note_without_memory_as_an_older_release_writes_it_is_read(state):
    slot = there(slots.take(state, "high", 1))
    slot.begin(("high",), 1.0)
    path = Path(state.slot("high.0"))
    slot.release()
    head, _, tail = path.read_text().partition("\n")
    kept = [line for line in tail.splitlines() if not line.startswith(("limit_mb", "memory_group", "oom_kills"))]
    path.write_text("\n".join([" ".join(head.split()[:3]), *kept]) + "\n")
    note = there(slots.see(state, "high.0").note)
    assert (note.queues, note.used_mb, note.limit_mb, note.oom_kills) == (("high",), 0.0, 0.0, 0)


def test_a_note_of_an_idle_consumer_says_that_nothing_runs(work, state):
    work(then="slot.note(7); slot.note_idle(8)").kill()
    wait_until(lambda: not slots.see(state, "high.0").is_live)
    note = there(slots.see(state, "high.0").note)
    assert note.evidence("killed", note.holder.boot) == Evidence("killed", 8, None, certain=True)


@pytest.mark.parametrize("begun_as", [STARTING, CONSUMING])
def test_what_the_last_holder_noted_says_nothing_of_the_messages_of_the_next(state, begun_as):
    """A web process, which begins as CONSUMING and is killed before its first note, has finished nothing."""
    earlier = there(slots.take(state, "inline", 1))
    earlier.begin(("high",), 0.0, CONSUMING)
    earlier.note_idle(6)
    earlier.leave("done")
    later = there(slots.take(state, "inline", 1))
    later.begin(("high",), 0.0, begun_as)
    later.release()
    note = there(slots.see(state, "inline.0").note)
    assert (note.holder, note.position) == (later.identity, 0)


def test_the_next_in_a_slot_knows_what_the_last_one_noted(work, state):
    first = work(then="slot.note(7)")
    first.kill()
    wait_until(lambda: not slots.see(state, "high.0").is_live)
    slot = there(slots.take(state, "high", 1))
    assert (there(slot.previous).holder.pid, there(slot.previous).position) == (first.pid, 7)
    slot.release()


def test_taking_a_slot_leaves_the_last_note_until_one_begins(work, state):
    first = work(then="slot.note(7)")
    first.kill()
    wait_until(lambda: not slots.see(state, "high.0").is_live)
    there(slots.take(state, "high", 1)).release()
    assert there(slots.see(state, "high.0").note).holder.pid == first.pid


@pytest.mark.parametrize("kind", [LEFT, BROKEN])
def test_who_leaves_says_why_in_one_line(work, state, kind):
    work(then=f"slot.note(7); slot.leave('time\\nlimit ' + 'x' * 5000, {kind!r})")
    seen = slots.see(state, "high.0")
    assert (seen.pid, there(seen.note).state, there(seen.note).position) == (None, kind, 7)
    assert there(seen.note).reason.startswith("time limit xxx")
    assert len(there(seen.note).reason) == 500


def test_a_shorter_note_leaves_nothing_of_a_longer_one(state):
    slot = there(slots.take(state, "high", 1))
    slot.begin(("a" * 400,), 1.0)
    slot.begin(("b",), 1.0, CONSUMING)
    slot.leave("short")
    content = open_text(state, "high.0")
    assert "aaa" not in content
    assert content.endswith("reason short\n")


def open_text(state, name):
    with open(state.slot(name)) as file:
        return file.read()


def test_the_account_s_seat_is_given_back_with_the_slot(state):
    from cronq.host import locks

    slot = there(slots.take(state, "high", 1))
    slot.seat = locks.take(state.account(0))
    slot.leave("done")
    assert locks.holder_pid(state.account(0)) is None


def test_a_slot_whose_file_was_removed_is_a_reason_to_leave(state):
    slot = there(slots.take(state, "high", 1))
    assert slot.reason_to_leave() is None
    os.unlink(state.slot("high.0"))
    assert slot.reason_to_leave() == f"{state.slot('high.0')} was removed or replaced"
    slot.release()


def test_waiting_for_a_slot_ends_when_its_holder_leaves(work, state):
    process = work(then="say('in'); sys.stdin.readline(); slot.leave('told so')")
    assert process.slot == "in"
    process.stdin.write("\n")
    process.stdin.flush()
    slot = slots.wait_for(state, "high.0")
    assert there(slot.previous).state == LEFT
    slot.release()


def test_all_slots_are_seen_in_order_and_nothing_else(state):
    for name in ("low.0", "high.1", "high.0"):
        open(state.slot(name), "w").close()
    open(state.successor("high.0"), "w").close()
    assert [seen.name for seen in slots.survey(state)] == ["high.0", "high.1", "low.0"]


def test_a_missing_run_directory_holds_no_slots(home):
    assert slots.survey(StateDir(str(home / "nowhere"))) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"\x00" * 4096,
        b"\xff\xfe garbage",
        b"pid 5\n",
        b"%020d %020.3f %020.3f\n" % (1, 2, 3),
        b"%020d %020.3f %020.3f\nholder a/b/c\nstate x\nqueues y\nbegun_at 1\ndeadline 2\n" % (1, 2, 3),
        b"%020d %020.3f %020.3f\nholder h/high.0/1/2/b\nstate x\nqueues y\nbegun_at soon\ndeadline 2\n" % (1, 2, 3),
    ],
)
def test_garbage_in_a_slot_s_file_is_no_note(state, content):
    with open(state.slot("high.0"), "wb") as file:
        file.write(content)
    assert slots.see(state, "high.0") == slots.Seen("high.0", None, None)


def test_a_note_cut_off_anywhere_is_no_error(state):
    slot = there(slots.take(state, "high", 1))
    slot.begin(("high",), 5.0)
    slot.leave("done")
    whole = open_text(state, "high.0").encode()
    for length in range(len(whole)):
        with open(state.slot("high.0"), "wb") as file:
            file.write(whole[:length])
        slots.see(state, "high.0")


def test_a_directory_in_a_slot_s_place_is_told(state):
    os.mkdir(state.slot("high.0"))
    with pytest.raises(StateDirError, match=r"high\.0\.pid: .*cronq's own file cannot be read; remove it"):
        slots.see(state, "high.0")


def test_a_slot_that_is_just_being_taken_has_no_live_note(work, state):
    first = work()
    first.kill()
    wait_until(lambda: not slots.see(state, "high.0").is_live)
    slot = there(slots.take(state, "high", 1))
    assert there(slot.previous).state == CONSUMING
    slot.begin((), 0.0)
    slot.release()
    assert there(slots.see(state, "high.0").note).state == STARTING


def test_who_leaves_before_it_has_begun_keeps_the_note_of_the_last_holder(state):
    """Its messages are not rescued yet: the note says which of them had finished."""
    before = there(slots.take(state, "inline", 1))
    before.begin(["high"], 0.0, slots.CONSUMING)
    before.note(7)
    before.release()
    written = Path(state.slot("inline.0")).read_bytes().replace(str(os.getpid()).encode(), b"99999999")
    Path(state.slot("inline.0")).write_bytes(written)
    there(slots.take(state, "inline", 1)).leave("the queue is beyond use")
    assert Path(state.slot("inline.0")).read_bytes() == written


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "boot0000"}])
def test_a_note_of_a_process_whose_pid_was_handed_on_is_not_live(work, state, change):
    """The holder has taken the slot and not begun: the note in it is that of the one before, with the same pid."""
    holder = work()
    seen = slots.see(state, "high.0")
    assert seen.live_note is not None
    earlier = there(seen.note).holder._replace(**change)
    path = Path(state.slot("high.0"))
    text = path.read_text().replace(str(there(seen.note).holder), str(earlier))
    path.write_text(text)
    again = slots.see(state, "high.0")
    assert (again.is_live, there(again.note).holder, again.live_note) == (True, earlier, None)
    assert holder.poll() is None
